"""Pictures: every mode is converted as it looks, and the conversion is named; broken ones are refused."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from models.data.importers import pictures
from models.data.importers.errors import PictureRefused
from models.data.importers.fitting import Wish
from models.data.importers.limits import Limits

LIMITS = Limits()
RAMP = np.tile(np.linspace(0, 255, 64)[None, :, None], (64, 1, 3)) * np.array([1.0, 0.5, 0.2])
RGB = Image.fromarray(RAMP.astype(np.uint8))
GREY = RGB.convert("L")
DEEP = np.linspace(0, 65_535, 64)[None].repeat(64, 0).astype(np.uint16)


def wish(**changes):
    return replace(Wish(64, "crop", "auto", (255, 255, 255)), **changes)


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def decode(content, **changes):
    return pictures.decode(content, wish=wish(**changes), limits=LIMITS)


def close(made, image, levels=1.0):
    want = np.asarray(image.convert("RGB"), dtype=np.int16).transpose(2, 0, 1)
    return np.abs(made.pixels_CHW.astype(np.int16) - want).mean() <= levels


def rgb_of_16_bits():
    rows = b"".join(b"\0" + struct.pack(">HHH", 65_535, 32_768, 255) * 64 for _ in range(64))
    return png(struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0), rows)


def png(header, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_alpha(image, alpha):
    made = image.copy()
    made.putalpha(alpha)
    return made


def lab():
    srgb, own = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(RGB, srgb, own, outputMode="LAB")


LOOKS = {
    "PNG": (encoded(RGB), RGB, ()),
    "BMP": (encoded(RGB, "BMP"), RGB, ()),
    "TIFF": (encoded(RGB, "TIFF"), RGB, ()),
    "PPM": (encoded(RGB, "PPM"), RGB, ()),
    "WebP": (encoded(RGB, "WEBP", lossless=True), RGB, ()),
    "JPEG": (encoded(RGB, "JPEG", quality=95), RGB, ()),
    "progressive JPEG": (encoded(RGB, "JPEG", quality=95, progressive=True), RGB, ()),
    "GIF": (encoded(RGB, "GIF"), RGB, ("palette",)),
    "palette": (encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE)), RGB, ("palette",)),
    "palette with a clear colour": (
        encoded(Image.new("P", (64, 64), 0), transparency=0),
        Image.new("RGB", (64, 64), "white"),
        ("palette", "transparency"),
    ),
    "grey": (encoded(GREY), GREY, ("to colour",)),
    "grey of 16 bits": (
        encoded(Image.fromarray(DEEP)),
        Image.fromarray((DEEP / 257).astype(np.uint8)),
        ("16 bit", "to colour"),
    ),
    "TIFF of 16 bits": (
        encoded(Image.fromarray(DEEP), "TIFF"),
        Image.fromarray((DEEP / 257).astype(np.uint8)),
        ("16 bit", "to colour"),
    ),
    "RGB of 16 bits": (rgb_of_16_bits(), Image.new("RGB", (64, 64), (255, 128, 0)), ("16 bit",)),
    "fractions": (
        encoded(Image.fromarray((DEEP / 65_535).astype(np.float32)), "TIFF"),
        Image.fromarray((DEEP / 257).astype(np.uint8)),
        ("float", "to colour"),
    ),
    "one bit": (encoded(GREY.convert("1")), GREY.convert("1"), ("black and white", "to colour")),
    "half transparent": (
        encoded(with_alpha(Image.new("RGB", (64, 64), "black"), 128)),
        Image.new("RGB", (64, 64), (127, 127, 127)),
        ("transparency",),
    ),
    "opaque alpha": (encoded(with_alpha(RGB, 255)), RGB, ()),
    "grey and alpha": (
        encoded(Image.merge("LA", (Image.new("L", (64, 64), 0), Image.new("L", (64, 64), 128)))),
        Image.new("L", (64, 64), 127),
        ("transparency", "to colour"),
    ),
    "CMYK": (encoded(RGB.convert("CMYK"), "TIFF"), RGB, ("cmyk",)),
    "LAB": (encoded(lab(), "TIFF"), RGB, ("colour space", "profile")),
    "animation": (
        encoded(RGB, "GIF", save_all=True, append_images=[GREY.convert("RGB")]),
        RGB,
        ("first frame", "palette"),
    ),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_picture_becomes_what_it_looks_like(name):
    content, image, conversions = LOOKS[name]
    made = decode(content)
    assert close(made, image, levels=2.0), np.abs(made.pixels_CHW.mean((1, 2)) - np.asarray(image).mean())
    assert made.conversions == conversions
    assert (made.width, made.height) == (64, 64)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright(orientation):
    upright = Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8))
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if turned is None else upright.transpose(turned)
    made = decode(encoded(stored, exif=exif))
    assert close(made, upright, levels=0)
    assert made.conversions == (() if orientation == 1 else ("turned",))


def test_a_profile_is_applied(tmp_path):
    """Pure red of a wide gamut is outside sRGB's, and a middle colour is another one there."""
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    plain = decode(encoded(RGB, icc_profile=swapped.tobytes()))
    assert plain.conversions == (), "sRGB needs no conversion"
    lab_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    made = decode(encoded(lab(), "TIFF", icc_profile=lab_profile.tobytes()))
    assert close(made, RGB)
    assert "profile" in made.conversions


@pytest.mark.parametrize(("fit", "corner"), [("crop", 0), ("pad", 255), ("stretch", 0)])
def test_a_picture_that_is_not_square_is_fitted(fit, corner):
    wide = Image.new("RGB", (120, 60), "black")
    made = decode(encoded(wide), fit=fit, resolution=40)
    assert made.pixels_CHW.shape == (3, 40, 40)
    assert made.pixels_CHW[:, 0, 0].tolist() == [corner] * 3
    assert made.pixels_CHW[:, 20, 20].tolist() == [0] * 3
    assert made.conversions[0] == {"crop": "cropped", "pad": "padded", "stretch": "stretched"}[fit]


def test_the_margin_has_the_background_colour():
    made = decode(encoded(Image.new("L", (10, 40), 0)), fit="pad", resolution=40, background=(255, 0, 0))
    assert made.pixels_CHW[:, 0, 0].tolist() == [255, 0, 0]


def test_shrinking_averages_and_enlarging_is_told():
    fine = np.indices((256, 256)).sum(0) % 2 * 255
    made = decode(encoded(Image.fromarray(fine.astype(np.uint8))), resolution=32, channels=1)
    assert np.abs(made.pixels_CHW.astype(int) - 128).max() <= 2, "a fine pattern must not alias"
    assert decode(encoded(RGB), resolution=128).conversions == ("enlarged",)


def test_a_lossless_picture_is_resampled_in_full_and_a_jpeg_nearly_so():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    photo = coarse.resize((500, 400), Image.Resampling.BICUBIC)
    left = 50
    whole = photo.resize((64, 64), Image.Resampling.LANCZOS, box=(left, 0, left + 400, 400))
    assert close(decode(encoded(photo)), whole, levels=0)
    content = encoded(photo, "JPEG", quality=90)
    read = Image.open(io.BytesIO(content)).convert("RGB")
    whole = read.resize((64, 64), Image.Resampling.LANCZOS, box=(left, 0, left + 400, 400))
    assert close(decode(content), whole, levels=1.0)


def test_channels_are_as_asked():
    assert decode(encoded(GREY), channels=1).pixels_CHW.shape == (1, 64, 64)
    assert decode(encoded(GREY), channels=3).pixels_CHW.shape == (3, 64, 64)
    made = decode(encoded(RGB), channels=1)
    assert (made.grey, made.conversions) == (True, ("to grey",))
    assert decode(encoded(GREY.convert("RGB"))).grey
    assert not decode(encoded(RGB)).grey


def many_frames(number):
    """Return a GIF that repeats one frame."""
    content = encoded(Image.new("P", (8, 8)), "GIF")
    start = content.index(b",", 13)
    return content[:start] + content[start:-1] * number + b";"


REFUSED = {
    "nothing": (b"", "is empty"),
    "a cut-off JPEG": (encoded(RGB, "JPEG")[:900], "is damaged: .*[Tt]runcated"),
    "a cut-off PNG": (encoded(RGB)[:120], "is damaged: .*truncated"),
    "SVG": (b"<?xml version='1.0'?><svg></svg>", "a text such as SVG"),
    "HTML": (b"\n<!DOCTYPE html><html></html>", "a text such as SVG or HTML"),
    "an archive": (b"PK\x03\x04" + bytes(100), "an archive within the archive"),
    "noise": (bytes(range(256)), "not a picture in one of the formats"),
    "HEIC": (bytes(4) + b"ftypheic" + bytes(100), "convert it to JPEG"),
    "too many pixels": (png(struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0), bytes(99)), "50000x50000 pixels"),
    "too many frames": (many_frames(10_000), "10,000 frames"),
    "unknown scale": (encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF"), "outside 0 to 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_cannot_be_used_is_refused_with_the_reason(name):
    content, reason = REFUSED[name]
    with pytest.raises(PictureRefused, match=reason):
        decode(content)


@pytest.mark.parametrize(
    ("array", "first"),
    [
        (np.full((64, 64), 7, dtype=np.uint8), 7),
        (np.full((64, 64, 1), 7, dtype=np.uint8), 7),
        (np.full((64, 64), 65_535, dtype=np.uint16), 255),
        (np.full((64, 64, 3), 200, dtype=np.int64), 200),
        (np.full((64, 64, 3), 0.5, dtype=np.float32), 128),
        (np.ones((64, 64), dtype=np.bool_), 255),
        (np.dstack([np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)]), 255),
    ],
)
def test_an_array_is_a_picture_too(array, first):
    made = pictures.of_array(array, wish=wish())
    assert made.pixels_CHW[0, 0, 0] == first
    assert (made.width, made.height) == (64, 64)


def test_an_array_of_another_scale_is_refused():
    with pytest.raises(PictureRefused, match="outside 0 to 1"):
        pictures.of_array(np.full((4, 4), -0.5), wish=wish())
    with pytest.raises(PictureRefused, match="outside 0 to 65,535"):
        pictures.of_array(np.full((4, 4), 10**6), wish=wish())
