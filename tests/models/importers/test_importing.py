"""Importing: every format, with the same bytes each time; a decoder that dies costs one picture at most."""

import gzip
import io
import json
import os
import signal
import struct
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import psutil
import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from PIL import Image

from models.data import mapped
from models.data.errors import DatasetCorrupt, DatasetMissing
from models.data.importers import importing, survey
from models.data.importers.errors import SourceRefused
from models.data.importers.importing import Imported
from models.data.importers.limits import Limits
from models.specs.imports import ImportOptions
from tests.pictures import archive, cats_and_dogs, picture

LIMITS = Limits()
SIDE = 28


def run(path, folder, *, limits=LIMITS, processes=2, meanwhile=lambda progress: None, **options):
    wish = ImportOptions(resolution=SIDE, **options)
    looked = survey.look(path, options=wish, limits=limits)
    folder.mkdir()
    for each in importing.run(
        path,
        form=looked.format,
        options=wish,
        resolution=looked.resolution,
        folder=folder,
        processes=processes,
        limits=limits,
    ):
        if isinstance(each, Imported):
            return each
        meanwhile(each)
    raise AssertionError("it ends without a result")


def tarred(path, source, *, pack=lambda content: content):
    content = io.BytesIO()
    with zipfile.ZipFile(source) as members, tarfile.open(fileobj=content, mode="w") as file:
        for name in members.namelist():
            member = tarfile.TarInfo(name)
            member.size = members.getinfo(name).file_size
            file.addfile(member, io.BytesIO(members.read(name)))
    path.write_bytes(pack(content.getvalue()))
    return path


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    return cats_and_dogs(tmp_path_factory.mktemp("pets") / "pets.zip")


@pytest.fixture(scope="module")
def imported(pets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported") / "pets"
    return run(pets, folder), folder


def test_what_is_stored_is_what_the_manifest_says(imported):
    made, folder = imported
    train, holdout = (mapped.load(folder, split=split) for split in ("train", "holdout"))
    assert train.images_NCHW.shape == (36, 3, SIDE, SIDE)
    assert isinstance(train.images_NCHW, np.memmap)
    assert (made.manifest.images, made.manifest.holdout_images, made.manifest.classes) == (36, 4, ("cats", "dogs"))
    assert mapped.load(folder, split="train").counterpart == made.manifest.counterpart == 4
    whole = np.concatenate([train.images_NCHW, holdout.images_NCHW])
    assert len({image.tobytes() for image in whole}) == 40
    assert np.abs(np.load(folder / importing.MEAN).astype(float) - whole.mean(0)).max() <= 0.5
    assert json.loads((folder / importing.REPORT).read_text()) == json.loads(made.report.model_dump_json())
    assert sorted(file.name for file in folder.iterdir()) == [
        "images.npy",
        "labels.npy",
        "manifest.json",
        "mean.npy",
        "report.json",
    ]
    for image, label in zip(train.images_NCHW, train.labels, strict=True):
        seeds = [seed for seed in range(label, 40, 2) if np.abs(_as_imported(seed) - image).mean() < 1]
        assert len(seeds) == 1, "each image has its own class"


def _as_imported(seed):
    image = Image.open(io.BytesIO(picture(seed)))
    whole = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=(2, 0, 38, 36))
    return np.asarray(whole).transpose(2, 0, 1).astype(np.int16)


PACKED = {
    "tar": lambda content: content,
    "tar.gz": gzip.compress,
    "tar.zst": zstandard.compress,
}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("processes", [1, 3])
def test_the_same_pictures_are_the_same_dataset_in_any_archive(pets, imported, tmp_path, suffix, processes):
    path = tarred(tmp_path / f"pets.{suffix}", pets, pack=PACKED[suffix])
    assert run(path, tmp_path / "out", processes=processes).manifest == imported[0].manifest


IMAGES = np.random.default_rng(0).integers(0, 256, (50, SIDE, SIDE), dtype=np.uint8)


def stored(folder, split="train"):
    return mapped.load(folder, split=split).images_NCHW


def test_npz(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES, labels=np.arange(50) % 3, extra=np.zeros(1))
    made = run(tmp_path / "a.npz", tmp_path / "out")
    assert (made.manifest.channels, made.manifest.classes) == (1, ("0", "1", "2"))
    assert made.report.ignored_files == ["extra.npy"]
    both = np.concatenate([stored(tmp_path / "out"), stored(tmp_path / "out", "holdout")])[:, 0]
    assert {image.tobytes() for image in both} == {image.tobytes() for image in IMAGES}


@pytest.mark.parametrize("shape", [(50, SIDE, SIDE, 3), (50, 3, SIDE, SIDE)])
def test_npz_of_colours_in_both_orders(tmp_path, shape):
    first = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=first)
    made = run(tmp_path / "a.npz", tmp_path / "out", holdout=0)
    assert (made.manifest.channels, made.manifest.holdout_images) == (3, 0)
    images = first if shape[1] == 3 else first.transpose(0, 3, 1, 2)
    assert (stored(tmp_path / "out") == images).all()


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"pictures": IMAGES}, "no array named images"),
        ({"images": IMAGES[0]}, r"an array of shape \(28, 28\) holds no images"),
        ({"images": IMAGES.astype("U1")}, "not numbers"),
        ({"images": IMAGES, "labels": np.arange(3)}, r"labels has shape \(3,\)"),
        ({"images": np.asfortranarray(IMAGES)}, "Fortran order"),
    ],
)
def test_npz_that_holds_no_images_says_what_is_wrong(tmp_path, arrays, reason):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(SourceRefused, match=reason):
        run(tmp_path / "a.npz", tmp_path / "out")


def test_idx(tmp_path):
    header = bytes([0, 0, 8, 3]) + struct.pack(">III", *IMAGES.shape)
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + IMAGES.tobytes()))
    made = run(tmp_path / "a.gz", tmp_path / "out", holdout=0)
    assert made.report.format == "idx"
    assert (stored(tmp_path / "out")[:, 0] == IMAGES).all()
    (tmp_path / "b.gz").write_bytes(gzip.compress(header + IMAGES.tobytes()[:-1]))
    with pytest.raises(SourceRefused, match="cut off after 49 of 50 images"):
        run(tmp_path / "b.gz", tmp_path / "other")


def test_parquet(tmp_path):
    columns = {"image": [{"bytes": picture(seed), "path": None} for seed in range(30)], "label": [0, 1, 1] * 10}
    names = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pyarrow.table(columns).replace_schema_metadata({"huggingface": json.dumps(names)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    made = run(tmp_path / "a.parquet", tmp_path / "out")
    assert made.manifest.classes == ("cat", "dog")
    assert made.manifest.images + made.manifest.holdout_images == 30


def test_grey_pictures_are_stored_with_one_channel(tmp_path):
    def grey(seed):
        file = io.BytesIO()
        Image.open(io.BytesIO(picture(seed))).convert("L").convert("RGB").save(file, "PNG")
        return file.getvalue()

    path = cats_and_dogs(tmp_path / "grey.zip", make=grey)
    made = run(path, tmp_path / "out")
    assert made.manifest.channels == 1
    assert made.report.conversions[-1].name != "to colour"
    assert run(path, tmp_path / "other", channels=3).manifest.channels == 3


def test_what_lies_beside_the_pictures_is_told(tmp_path):
    members = [(f"{name}/{seed}.png", picture(seed * 3 + len(name))) for name in ("a", "bb") for seed in range(10)]
    junk = [(name, b"x") for name in ("__MACOSX/a/._1.png", "a/.DS_Store", "Thumbs.db", "a/._2.png")]
    path = archive(tmp_path / "some.zip", [*members, *junk, ("ccc/", b""), ("readme.md", b"x"), ("3.png", picture(99))])
    report = run(path, tmp_path / "out").report
    assert [entry.name for entry in report.classes] == ["a", "bb"]
    assert report.empty_classes == ["ccc"]
    assert report.ignored_files == ["readme.md"]
    assert [(entry.name, "beside the folders" in entry.reason) for entry in report.refused_files] == [("3.png", True)]


def test_blank_pictures_are_counted_whatever_their_colour(tmp_path):
    def blank(seed):
        file = io.BytesIO()
        Image.new("RGB", (40, 40), ("red", "white", (10, 20, 200))[seed % 3]).save(file, "PNG")
        return file.getvalue()

    path = cats_and_dogs(tmp_path / "some.zip", make=lambda seed: blank(seed) if seed < 3 else picture(seed))
    report = run(path, tmp_path / "out").report
    assert (report.blank, len(report.blank_examples)) == (3, 3)
    assert any("of one colour" in advice for advice in report.advice)


def test_names_in_utf8_and_cp437(tmp_path):
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as file:
        for seed in range(20):
            # A name with other letters than ASCII is marked as UTF-8.
            file.writestr(f"{('Äpfel', 'b')[seed % 2]}/{seed}.png", picture(seed))
    unmarked = path.read_bytes().replace("Äpfel".encode(), "Äpfel".encode())
    # As archives made on a Mac are: UTF-8, unmarked.
    for signature, flags_at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = unmarked.find(signature)
        while place >= 0:
            unmarked = unmarked[: place + flags_at] + b"\0\0" + unmarked[place + flags_at + 2 :]
            place = unmarked.find(signature, place + 4)
    (tmp_path / "mac.zip").write_bytes(unmarked)
    old = "Äpfel".encode("cp437").ljust(6, b"_")
    (tmp_path / "dos.zip").write_bytes(unmarked.replace("Äpfel".encode(), old))
    for name, expected in (("names.zip", "Äpfel"), ("mac.zip", "Äpfel"), ("dos.zip", "Äpfel_")):
        made = run(tmp_path / name, tmp_path / f"{name}.out")
        assert expected in made.manifest.classes, name


def test_a_decoder_that_is_killed_costs_one_picture(tmp_path):
    path = cats_and_dogs(tmp_path / "pets.zip", number=600, make=lambda seed: picture(seed % 40))
    killed: list[int] = []

    def kill(progress):
        if progress.entries >= 50 and not killed:
            for child in psutil.Process().children():
                if "models.data.importers.decoder" in child.cmdline():
                    killed.append(child.pid)
                    os.kill(child.pid, signal.SIGKILL)

    report = run(path, tmp_path / "out", meanwhile=kill).report
    assert len(killed) == 2
    assert report.images + report.holdout_images + report.refused == 600
    assert 1 <= report.refused <= 2
    assert all("ended by signal 9" in entry.reason for entry in report.refused_files)


def test_a_picture_that_takes_too_long_or_too_much_memory_is_refused(tmp_path):
    large = io.BytesIO()
    Image.new("RGB", (9_900, 9_900)).save(large, "PNG", compress_level=1)
    members = [(f"{seed}.png", picture(seed)) for seed in range(20)]
    path = archive(tmp_path / "some.zip", [*members, ("large.png", large.getvalue())])
    slow = run(path, tmp_path / "slow", limits=replace(LIMITS, picture_seconds=0.2)).report
    assert [(entry.name, "took longer" in entry.reason) for entry in slow.refused_files] == [("large.png", True)]
    small = run(path, tmp_path / "small", limits=replace(LIMITS, memory_bytes=400 * 2**20)).report
    assert [(entry.name, "memory" in entry.reason) for entry in small.refused_files] == [("large.png", True)]


def test_too_many_entries_are_refused(pets):
    with pytest.raises(SourceRefused, match="more than 39 entries"):
        survey.look(pets, options=ImportOptions(), limits=replace(LIMITS, entries=39))


def test_a_damaged_dataset_is_told_apart_from_a_missing_one(imported, tmp_path):
    made, folder = imported
    with pytest.raises(DatasetMissing):
        mapped.load(tmp_path, split="train")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    mapped.write_manifest(tmp_path, replace(made.manifest, images=35))
    with pytest.raises(DatasetCorrupt, match="not uint8 of"):
        mapped.load(tmp_path, split="train")
    (tmp_path / mapped.MANIFEST).write_text("{}")
    with pytest.raises(DatasetCorrupt, match="damaged"):
        mapped.load(tmp_path, split="train")
