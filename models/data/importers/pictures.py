"""Decode one picture and turn it into an image of the wanted size and colours. Every conversion is named.

Resampling is Pillow's LANCZOS, which averages over all pixels that an image shrinks by.
"""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin, UnidentifiedImageError

from models.data.importers import fitting
from models.data.importers.errors import PictureRefused
from models.data.importers.fitting import Wish
from models.data.importers.limits import Limits

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM")
"""Pillow's names of the formats that are read. No other decoder is ever run on an upload."""
JPEG_GAP = 2.0
"""A JPEG is shrunk in whole steps until its size is this multiple of the wanted one, then resampled. The result differs
by 0.6 levels in the mean from full resampling, less than the JPEG itself lost. Decoding at half the size, Pillow's
draft, would differ by 1.3.
"""
SRGB = ImageCms.createProfile("sRGB")

CONVERSIONS = {
    "turned": "turned upright, as their EXIF data say",
    "16 bit": "scaled from 16 bits to 8",
    "float": "scaled from fractions to 8 bits",
    "black and white": "one bit a pixel turned into grey",
    "palette": "colours looked up in their palette",
    "cmyk": "CMYK turned into RGB",
    "profile": "colours converted from their profile to sRGB",
    "colour space": "another colour space turned into RGB",
    "transparency": "laid on the background",
    "first frame": "only the first frame of an animation used",
    "cropped": "cut to a square",
    "padded": "given a margin",
    "stretched": "distorted to a square",
    "shrunk": "made smaller",
    "enlarged": "made larger: they have fewer pixels than asked for",
    "to grey": "colours turned into grey",
    "to colour": "grey turned into colour",
}
"""The names of conversions, and what the report says of the pictures."""


@dataclass(frozen=True, eq=False)
class Picture:
    pixels_CHW: NDArray[np.uint8]
    grey: bool
    """Whether the channels are equal."""
    format: str
    mode: str
    """The picture's own mode: Pillow's name of its channels and their depth."""
    width: int
    height: int
    conversions: tuple[str, ...]


def decode(content: bytes, *, wish: Wish, limits: Limits) -> Picture:
    """Return the picture in a file's content. Raises PictureRefused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of sizes and of odd metadata; sizes are limited here
        try:
            with _opened(content) as opened:
                return _converted(opened, content, wish=wish, limits=limits)
        except PictureRefused:
            raise
        except MemoryError:
            raise PictureRefused("needs more memory than a picture may take: make it smaller") from None
        except Exception as error:
            said = str(error) or type(error).__name__
            raise PictureRefused(f"is damaged: {said[:200]}") from error


def of_array(array: NDArray[np.generic], *, wish: Wish) -> Picture:
    """Return the picture in an H x W or H x W x C array of numbers. Raises PictureRefused."""
    notes: list[str] = []
    pixels = _bytes_of(array, notes)
    image = Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    mode = f"{image.mode} {array.dtype}"
    return _finished(image, wish=wish, notes=notes, form="array", mode=mode, size=image.size)


def _opened(content: bytes) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = None  # the limit is checked before anything is decoded
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureRefused(_unknown(content)) from None


def _unknown(content: bytes) -> str:
    head = content[:512].lstrip().lower()
    if not content:
        return "is empty"
    if b"<svg" in head or head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "holds a text such as SVG or HTML, no pixels: convert it to PNG"
    if content[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif", b"ftypheim"}:
        return "is HEIC or AVIF, which are not read: convert it to JPEG or PNG"
    if head.startswith((b"pk\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"rar!", b"\x28\xb5\x2f\xfd")):
        return "is an archive within the archive, which is not opened"
    return "is not a picture in one of the formats PNG, JPEG, WebP, BMP, TIFF, GIF and PPM, or is cut off"


def _converted(image: Image.Image, content: bytes, *, wish: Wish, limits: Limits) -> Picture:
    width, height = size = image.size
    if width * height > limits.pixels:
        raise PictureRefused(f"has {width}x{height} pixels; at most {limits.pixels:,} are read: make it smaller")
    form, mode, notes = image.format or "", image.mode, []
    if getattr(image, "is_animated", False):
        frames = getattr(image, "n_frames", 1)
        if frames > limits.frames:
            raise PictureRefused(f"has {frames:,} frames; at most {limits.frames:,} are counted, and the first is used")
        image.seek(0)
        notes.append("first frame")
    turned = image.getexif().get(0x0112, 1) not in {0, 1}
    image.load()
    if image.mode in {"RGB", "RGBA", "LA"} and _bits(image, content) > 8:
        notes.append("16 bit")  # Pillow scales these itself
    profile = image.info.get("icc_profile")
    image = _eight_bits(image, notes)
    image = _in_colour(image, notes, profile=profile)
    image = _opaque(image, notes, background=wish.background)
    if turned:
        # After decoding, because a picture says how it was held only in its metadata.
        image = ImageOps.exif_transpose(image)
        notes.append("turned")
    gap = JPEG_GAP if form in {"JPEG", "MPO"} else None
    return _finished(image, wish=wish, notes=notes, form=form, mode=mode, size=size, gap=gap)


def _bits(image: Image.Image, content: bytes) -> int:
    """Return the bits of each channel, as far as PNG and TIFF tell."""
    if image.format == "PNG":
        return content[24]
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (8,))))
    return 8


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """Scale numbers of more than 8 bits. A cut would leave the darkest part of the picture, or white."""
    if image.mode == "1":
        notes.append("black and white")
        return image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_bytes_of(np.asarray(image), notes))
    return image


def _bytes_of(array: NDArray[np.generic], notes: list[str]) -> NDArray[np.uint8]:
    """Scale numbers to 0..255 by their type. Raises PictureRefused for numbers whose scale is not known."""
    if array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    if array.dtype == np.bool_:
        notes.append("black and white")
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        wide = array.astype(np.float64)
        if not np.isfinite(wide).all() or wide.min() < 0 or wide.max() > 1:
            raise PictureRefused("holds fractions outside 0 to 1, whose scale is not known: save it with 8 or 16 bits")
        notes.append("float")
        return np.rint(wide * 255).astype(np.uint8)
    if array.dtype.kind in "iu":
        wide_int = array.astype(np.int64)
        if wide_int.min() < 0 or wide_int.max() > 65_535:
            raise PictureRefused("holds numbers outside 0 to 65,535, whose scale is not known: save it with 8 bits")
        if array.dtype.itemsize > 2 and wide_int.max() <= 255:
            return wide_int.astype(np.uint8)
        notes.append("16 bit")
        return ((wide_int * 255 + 32_767) // 65_535).astype(np.uint8)
    raise PictureRefused(f"holds values of the type {array.dtype}, not numbers")


def _in_colour(image: Image.Image, notes: list[str], *, profile: bytes | None) -> Image.Image:
    """Turn any colour space into grey or RGB, with or without alpha. A profile is applied where there is one."""
    if image.mode in {"P", "PA"}:
        notes.append("palette")
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    if image.mode == "CMYK":
        notes.append("cmyk")
    elif image.mode not in {"L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "P"}:
        notes.append("colour space")
    if profile and (converted := _by_profile(image, profile)) is not None:
        notes.append("profile")
        return converted
    if image.mode == "LAB":
        return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if image.mode in {"La", "RGBa"}:
        return image.convert("LA" if image.mode == "La" else "RGBA")
    return image if image.mode in {"L", "LA", "RGB", "RGBA"} else image.convert("RGB")


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert colours from a picture's own profile to sRGB. None if it is sRGB, or no profile of such a picture."""
    if image.mode not in {"RGB", "CMYK", "LAB"}:
        return None
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(own).lower():
            return None
        return _transformed(image, own)
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    found = ImageCms.profileToProfile(image, profile, SRGB, outputMode="RGB")
    assert found is not None
    return found


def _opaque(image: Image.Image, notes: list[str], *, background: tuple[int, int, int]) -> Image.Image:
    """Lay a picture with transparent pixels on the background. One without is grey or RGB afterwards."""
    if image.mode not in {"LA", "RGBA"}:
        return image
    plain = "L" if image.mode == "LA" else "RGB"
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert(plain)
    notes.append("transparency")
    grey_background = len(set(background)) == 1
    if plain == "L" and grey_background:
        ground = Image.new("L", image.size, background[0])
        ground.paste(image.convert("L"), mask=alpha)
        return ground
    ground = Image.new("RGB", image.size, background)
    ground.paste(image.convert("RGB"), mask=alpha)
    return ground


def _finished(
    image: Image.Image,
    *,
    wish: Wish,
    notes: list[str],
    form: str,
    mode: str,
    size: tuple[int, int],
    gap: float | None = None,
) -> Picture:
    """Fit a grey or RGB picture into a square and give it the wanted channels."""
    if image.mode not in {"L", "RGB"}:
        image = _opaque(_in_colour(image, notes, profile=None), notes, background=wish.background)
    image = fitting.fitted(image, wish=wish, notes=notes, gap=gap)
    pixels = np.asarray(image)
    grey = pixels.ndim == 2 or bool((pixels == pixels[:, :, :1]).all())
    if wish.channels == 1 and pixels.ndim == 3:
        pixels = np.asarray(image.convert("L"))
        if not grey:
            notes.append("to grey")
        grey = True
    elif wish.channels != 1 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
        notes.append("to colour")
    pixels_CHW = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Picture(np.ascontiguousarray(pixels_CHW), grey, form, mode, size[0], size[1], tuple(notes))
