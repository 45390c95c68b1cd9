"""Pictures: grids of pixels, scatters of points, PNGs."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from models import data
from models.generation import pictures


def numbered(count: int, channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Images of 2 x 3 pixels, each of one value: 1, 2, 3, ..."""
    values = np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(values, (count, 2, 3, channels)).copy()


def test_grid_goes_row_by_row_and_leaves_free_cells_black() -> None:
    grid = pictures.grid_HWC(numbered(3, 1), columns=2)
    assert grid.shape == (4, 6, 1)
    assert grid[::2, ::3, 0].tolist() == [[1, 2], [3, 0]]


def test_grid_scales_by_whole_pixels_and_has_borders_between_images_only() -> None:
    grid = pictures.grid_HWC(numbered(4, 3), columns=2, scale=2, border_pixels=1)
    assert grid.shape == (9, 13, 3)
    assert grid[0, :, 0].tolist() == [1] * 6 + [0] + [2] * 6
    assert grid[4].max() == 0


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_png_holds_the_pixels_and_the_texts(channels: int, mode: str) -> None:
    picture = pictures.grid_HWC(numbered(4, channels), columns=2)
    encoded = pictures.png(picture, texts={"Software": "Saddle"})
    assert encoded == pictures.png(picture, texts={"Software": "Saddle"})
    decoded = Image.open(io.BytesIO(encoded))
    assert decoded.mode == mode
    assert np.array_equal(np.asarray(decoded).reshape(picture.shape), picture)
    assert isinstance(decoded, PngImageFile)
    assert decoded.text == {"Software": "Saddle"}


def scatter(*points: tuple[float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return pictures.scatter_HWC(np.array(points, np.float32).reshape(-1, 1, 1, 2))


def marks(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[slice, slice]:
    """The smallest box of rows and columns that holds all that is drawn."""
    rows, columns = np.nonzero(picture.max(axis=2))
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def test_a_point_is_a_square_at_its_place_with_y_upwards() -> None:
    assert scatter((0.0, 0.0)).shape == (512, 512, 3)
    assert marks(scatter((0.0, 0.0))) == (slice(254, 257), slice(255, 258))
    # 0.55 is a quarter of the box of 2.2 from the middle, which is 128 pixels.
    assert marks(scatter((0.55, 0.0))) == (slice(254, 257), slice(383, 386))
    assert marks(scatter((0.0, 0.55))) == (slice(126, 129), slice(255, 258))


def test_points_outside_the_box_or_nowhere_are_left_out() -> None:
    nan, infinity = float("nan"), float("inf")
    assert scatter((1.11, 0.0), (0.0, -1.2), (nan, 0.0), (0.0, infinity)).max() == 0
    assert marks(scatter((-1.0999, 1.0999))) == (slice(0, 2), slice(0, 2))
    assert marks(scatter((1.0999, -1.0999))) == (slice(510, 512), slice(510, 512))
    assert scatter().max() == 0


def test_more_points_shine_brighter_and_never_overflow() -> None:
    brightness = [scatter(*[(0.1, 0.2)] * count).max() for count in (1, 2, 1000)]
    assert brightness == [round(0.6 * 255), round(0.84 * 255), 255]


def test_a_picture_of_pixels_is_a_grid_and_one_of_points_a_scatter() -> None:
    images = numbered(4, 1)
    assert np.array_equal(pictures.picture_HWC(images, columns=2), pictures.grid_HWC(images, columns=2))
    points = np.zeros((4, 1, 1, 2), np.float32)
    assert np.array_equal(pictures.picture_HWC(points, columns=2), pictures.scatter_HWC(points))


def test_a_preview_shows_the_first_images_enlarged_or_the_first_points(digits: data.ImageData) -> None:
    preview = pictures.preview_HWC(digits)
    assert preview.shape == (8 * 32, 8 * 32, 1)
    assert np.array_equal(preview[32:64:4, :32:4], digits.images_NCHW[8].transpose(1, 2, 0))
    points = np.zeros((5000, 2, 1, 1), np.float32)
    points[4096:] = 1
    shown = pictures.preview_HWC(data.ImageData(images_NCHW=points, labels=np.zeros(5000, np.int64)))
    assert marks(shown) == (slice(254, 257), slice(255, 258))
