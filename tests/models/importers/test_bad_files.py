"""Files that cannot be imported: each is refused, with the file's name, what is wrong and what to do."""

import gzip
import io
import re
import resource
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from models.data.importers import survey
from models.data.importers.errors import SourceRefused
from models.data.importers.limits import Limits
from models.specs.imports import ImportOptions
from tests.pictures import archive, picture

PNG = picture(1)
LIMITS = Limits(entries=50, images=1000)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, data: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def zipped(content: bytes, name: str = "a.png") -> Callable[[Path], bytes]:
    return lambda to: archive(to / "made.zip", [(name, content)]).read_bytes()


def tarred(kind: bytes = tarfile.REGTYPE, name: str = "a.png", content: bytes = PNG, link: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        info.size = len(content) if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy_header(text: str) -> bytes:
    head = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def npz_of_headers(text: str) -> Callable[[Path], bytes]:
    return lambda to: archive(to / "made.npz", [("images.npy", npy_header(text))]).read_bytes()


def encrypted(to: Path) -> bytes:
    content = bytearray(archive(to / "made.zip", [("a.png", PNG)]).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


def spoilt(to: Path) -> bytes:
    """Return an archive whose picture has a flipped byte, so that its checksum is wrong."""
    content = bytearray(archive(to / "made.zip", [("a.png", PNG)]).read_bytes())
    content[content.index(PNG) + 200] ^= 255
    return bytes(content)


def understated(to: Path) -> bytes:
    """Return an archive that says of 40 MB that they are 100 bytes."""
    with zipfile.ZipFile(to / "made.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(40_000_000))
    content = bytearray((to / "made.zip").read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(mark) + place, 100)
    return bytes(content)


def overlapping(to: Path) -> bytes:
    """Return an archive whose directory lists one stored file under many names."""
    with zipfile.ZipFile(to / "made.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(40):
            file.writestr(f"{number}.png", bytes(2_000_000) if number == 0 else b"")
        first = file.getinfo("0.png")
        for info in file.infolist():
            info.header_offset, info.CRC = first.header_offset, first.CRC
            info.compress_size, info.file_size = first.compress_size, first.file_size
    return (to / "made.zip").read_bytes()


def odd_compression(to: Path) -> bytes:
    content = bytearray(archive(to / "made.zip", [("a.png", PNG)]).read_bytes())
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(mark) + place, 97)
    return bytes(content)


def idx(magic: bytes, *sizes: int, data: bytes = b"") -> bytes:
    return gzip.compress(magic + struct.pack(f">{len(sizes)}I", *sizes) + data)


CASES: dict[str, tuple[Callable[[Path], bytes] | bytes, str]] = {
    "no entries": (zipped(b"", "folder/"), "holds no pictures"),
    "an empty zip": (b"PK\x05\x06" + bytes(18), "holds no pictures"),
    "encrypted": (encrypted, "'a.png' is encrypted: pack plain"),
    "a wrong checksum": (spoilt, "a.png cannot be unpacked: Bad CRC-32"),
    "an understated size": (understated, "a.png cannot be unpacked"),
    "overlapping entries": (overlapping, "more than 50 times its size"),
    "an unknown compression": (odd_compression, "a.png cannot be unpacked: That compression method"),
    "backslashes out": (zipped(PNG, "..\\..\\a.png"), "no name within the archive"),
    "too many entries": (
        lambda to: archive(to / "made.zip", [(f"{n}.png", PNG) for n in range(51)]).read_bytes(),
        "more than 50 entries: put the images",
    ),
    "a tar in a zip": (zipped(tarred(), "a.tar"), "'a.tar' is an archive within"),
    "a hard link": (tarred(tarfile.LNKTYPE, link="/etc/passwd"), "'a.png' is a link"),
    "a device": (tarred(tarfile.CHRTYPE), "'a.png' is a device or a pipe"),
    "a pipe": (tarred(tarfile.FIFOTYPE), "'a.png' is a device or a pipe"),
    "out of a tar": (tarred(name="../a.png"), "'../a.png' is no name"),
    "an absolute name in a tar": (tarred(name="/a.png"), "'/a.png' is no name"),
    "a cut-off tar": (tarred(content=PNG * 9)[:3000], "tar archive is damaged or cut off"),
    "a cut-off tar.gz": (
        gzip.compress(tarred(content=np.random.default_rng(0).bytes(9000)))[:4000],
        "damaged or cut off",
    ),
    "a damaged tar.zst": (zstandard.compress(tarred())[:-40] + bytes(40), "damaged or cut off"),
    "a tar.gz that is a bomb": (gzip.compress(tarred(content=bytes(60_000_000))), "more than 50 times its size"),
    "npz without images": (npz(pictures=np.zeros((9, 8, 8), np.uint8)), "no array named images"),
    "npz of words": (npz(images=np.array([["a", "b"]] * 9)), "holds <U1, not numbers"),
    "npz of complex numbers": (npz(images=np.zeros((9, 8, 8), np.complex64)), "holds complex64, not numbers"),
    "npz of five dimensions": (
        npz(images=np.zeros((9, 8, 8, 3, 2), np.uint8)),
        "shape (9, 8, 8, 3, 2) holds no images",
    ),
    "npz of NaN": (npz(images=np.full((9, 8, 8), np.nan, np.float32)), "000000000 holds fractions outside 0 to 1"),
    "npz with too few labels": (
        npz(images=np.zeros((9, 8, 8), np.uint8), labels=np.zeros(8, np.int64)),
        "labels has shape (8,)",
    ),
    "npz that promises more than it holds": (
        npz_of_headers("{'descr': '|u1', 'fortran_order': False, 'shape': (999, 64, 64)}"),
        "cut off after 0 of 999 images",
    ),
    "npz of a billion images": (
        npz_of_headers("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 64, 64)}"),
        "1,000,000,000 images; at most 1,000",
    ),
    "npz with a program for a header": (
        npz_of_headers("__import__('os').system('true')"),
        "a header that cannot be read",
    ),
    "IDX of labels": (idx(b"\0\0\x08\x01", 9, data=bytes(9)), "format is not known"),
    "IDX of four billion images": (idx(b"\0\0\x08\x03", 2**32 - 1, 28, 28), "4,294,967,295 images; at most 1,000"),
    "a cut-off IDX": (idx(b"\0\0\x08\x03", 99, 28, 28, data=bytes(700)), "cut off after 0 of 99 images"),
    "parquet that is none": (b"PAR1" + bytes(500) + b"PAR1", "parquet file is damaged or cut off"),
    "a picture of no width": (zipped(png(0, 5)), "a.png is not a picture"),
    "a picture without rows": (zipped(png(64, 64)), "a.png is damaged: image file is truncated"),
    "a profile that is a bomb": (
        zipped(png(8, 8, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(90_000_000))), data=bytes(8 * 25))),
        "a.png is damaged: Decompressed data too large",
    ),
    "a text that is a bomb": (
        zipped(png(8, 8, chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(90_000_000))), data=bytes(8 * 25))),
        "a.png is damaged: Decompressed data too large",
    ),
    "a cut-off WebP": (zipped(picture(1, form="WEBP")[:60], "a.webp"), "a.webp is damaged"),
    "a GIF without frames": (
        zipped(b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0) + b";", "a.gif"),
        "a.gif is not a picture",
    ),
    "a BMP of a billion pixels": (
        zipped(
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0), "a.bmp"
        ),
        "a.bmp has 40000x40000 pixels; at most",
    ),
    "a PPM of a billion pixels": (zipped(b"P6 40000 40000 255\n", "a.ppm"), "a.ppm has 40000x40000 pixels; at most"),
    "a TIFF that points at itself": (zipped(b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "a.tif"), "a.tif is not a picture"),
    "a folder's shortcut": (zipped(b"[InternetShortcut]\nURL=https://example.com", "a.url"), "it holds a.url"),
}

BOMBS = ("an understated size", "overlapping entries", "a tar.gz that is a bomb", "a profile that is a bomb")
ADVICE = re.compile(r"\b(pack|save|upload|make|unpack|put|wanted|is read)\b", re.IGNORECASE)


def written(case: str, folder: Path) -> Path:
    make, _ = CASES[case]
    content = make if isinstance(make, bytes) else make(folder)
    (folder / "some").write_bytes(content)
    return folder / "some"


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_refused_with_what_is_wrong_and_what_to_do(case: str, tmp_path: Path) -> None:
    path = written(case, tmp_path)
    with pytest.raises(SourceRefused) as refused:
        survey.survey(path, options=ImportOptions(resolution=64), limits=LIMITS)
    told = str(refused.value)
    assert CASES[case][1] in told
    assert ADVICE.search(told), told
    assert "\n" not in told
    assert len(told) < 600


def peak_bytes(paths: list[Path]) -> int:
    """Return the most memory that a survey took, of several that refused their file."""
    for path in paths:
        with pytest.raises(SourceRefused):
            survey.look(path, options=ImportOptions(resolution=64), limits=LIMITS)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    paths = []
    for case in BOMBS:
        (folder := tmp_path / case).mkdir()
        paths.append(written(case, folder))
    # In a process of its own, which has had no other children.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(peak_bytes, paths).result() < 300 * 2**20


@pytest.mark.parametrize("name", ["a\x01b.png", "a\u202egnp.exe.png", f"{'a' * 5000}.png", f"{'a/' * 500}a.png"])
def test_odd_names_are_only_names(name: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "some.zip", [(name, PNG)])
    assert survey.survey(path, options=ImportOptions(resolution=64), limits=LIMITS).entries == 1
