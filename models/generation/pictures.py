"""Pictures of stored images: grids of images, scatter plots of points, PNGs. Needs numpy and Pillow only."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from models.data import ImageData, Stored

COMPRESSION = 1
"""zlib's compression level; 1 is the fastest."""
PREVIEW_COLUMNS = 8
PREVIEW_CELL_PIXELS = 28
PAIRS_GAP_PIXELS = 4
"""White between the rows of a grid of pairs."""
SCATTER_PIXELS = 512
SCATTER_REACH = 1.1
"""A scatter plot shows the plane from -1.1 to 1.1 along both axes."""
SCATTER_POINTS = 4096
"""Number of points in a preview's scatter plot: enough to show the distribution."""
INK_RGB = (255, 196, 92)
FIRST_SHARE = 0.6
"""The brightness of one point, as a share of full ink. Each further point adds the same share of the remainder."""


def picture_HWC(stored_NHWC: Stored, *, columns: int, scale: int = 1) -> NDArray[np.uint8]:
    """Return a grid of pictures or a scatter plot of points."""
    if stored_NHWC.dtype == np.uint8:
        return grid_HWC(stored_NHWC.astype(np.uint8, copy=False), columns=columns, scale=scale)
    return scatter_HWC(stored_NHWC.astype(np.float32, copy=False))


def preview_HWC(dataset: ImageData) -> NDArray[np.uint8]:
    """Return a picture of a dataset's first 64 images, small ones enlarged to 28 pixels or more.

    For points, return a scatter plot of the first 4,096.
    """
    stored_NHWC = dataset.images_NCHW.transpose(0, 2, 3, 1)
    count = PREVIEW_COLUMNS**2 if stored_NHWC.dtype == np.uint8 else SCATTER_POINTS
    scale = -(-PREVIEW_CELL_PIXELS // stored_NHWC.shape[1])
    return picture_HWC(stored_NHWC[:count], columns=PREVIEW_COLUMNS, scale=scale)


def grid_HWC(
    images_NHWC: NDArray[np.uint8], *, columns: int, scale: int = 1, border_pixels: int = 0
) -> NDArray[np.uint8]:
    """Return the images in rows of `columns`, each pixel drawn as scale x scale; free cells and borders are black."""
    count, height, width, channels = images_NHWC.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:count] = images_NHWC
    cells = cells.repeat(scale, axis=1).repeat(scale, axis=2)
    cells = np.pad(cells, ((0, 0), *((0, border_pixels),) * 2, (0, 0)))
    grid = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    grid = grid.reshape(rows * cells.shape[1], columns * cells.shape[2], channels)
    # Cut the borders after the last row and column, which would be a margin on two sides only.
    return grid[: grid.shape[0] - border_pixels, : grid.shape[1] - border_pixels]


def pairs_HWC(upper_NHWC: NDArray[np.uint8], lower_NHWC: NDArray[np.uint8], *, columns: int) -> NDArray[np.uint8]:
    """Return a grid of pairs, `columns` in a row, each image of `upper_NHWC` above its partner."""
    rows = [
        np.concatenate([grid_HWC(part[start : start + columns], columns=columns) for part in (upper_NHWC, lower_NHWC)])
        for start in range(0, len(upper_NHWC), columns)
    ]
    between = np.full((PAIRS_GAP_PIXELS, *rows[0].shape[1:]), 255, np.uint8)
    return np.concatenate([part for row in rows for part in (between, row)][1:])


def scatter_HWC(points_N112: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an RGB scatter plot: each point is a square of 3x3 pixels on black, brighter where points overlap.

    The y axis points up.
    """
    points = points_N112.reshape(-1, 2)
    points = points[(np.abs(points) < SCATTER_REACH).all(axis=1)]
    places = ((points / SCATTER_REACH + 1) * (SCATTER_PIXELS / 2)).astype(np.int64).clip(max=SCATTER_PIXELS - 1)
    across, down = places[:, :1], SCATTER_PIXELS - 1 - places[:, 1:]
    size = SCATTER_PIXELS + 2  # with a margin for the squares' edges
    square = np.add.outer([-size, 0, size], [-1, 0, 1]).ravel()
    indices = (down + 1) * size + across + 1 + square
    counts = np.bincount(indices.ravel(), minlength=size**2).reshape(size, size)[1:-1, 1:-1]
    ink = 1 - (1 - FIRST_SHARE) ** counts
    picture: NDArray[np.uint8] = np.rint(ink[:, :, None] * np.array(INK_RGB)).astype(np.uint8)
    return picture


def png(image_HWC: NDArray[np.uint8], *, texts: Mapping[str, str] | None = None) -> bytes:
    """Return one grey or RGB image as PNG. Equal input gives equal bytes. `texts` become text chunks, e.g. Software."""
    chunks = PngInfo()
    for key, value in (texts or {}).items():
        chunks.add_text(key, value)
    grey = image_HWC.shape[2] == 1
    picture = Image.fromarray(np.ascontiguousarray(image_HWC[:, :, 0] if grey else image_HWC))
    file = io.BytesIO()
    picture.save(file, "png", compress_level=COMPRESSION, pnginfo=chunks)
    return file.getvalue()
