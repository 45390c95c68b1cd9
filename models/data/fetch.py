"""The command `python -m models.data.fetch FOLDER`: saves Fashion-MNIST to FOLDER/fashion-mnist."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from models.data import fashion_mnist
from models.data.errors import DatasetCorrupt, DatasetMissing

HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
"""The data's home page. It has no TLS, so downloads are trusted by their SHA-256 alone."""
PACKAGE = "dataset-fashion-mnist"

Copier = Callable[[Iterable[str], Path], None]
"""Copies the named files to a folder. Raises OSError or subprocess.SubprocessError if that fails."""


def fetch(folder: Path) -> Path:
    """Make sure that `folder/fashion-mnist` holds the four verified files, and return it. Verified files are kept.

    Tries the system's copy, then Debian's package (no root needed), then the data's home page.
    Raises DatasetMissing, with the error of each of them.
    """
    target = folder / fashion_mnist.FOLDER_NAME
    target.mkdir(parents=True, exist_ok=True)
    answers = []
    for title, copy in SOURCES.items():
        missing = [name for name in fashion_mnist.SHA256 if not _is_good(target / name)]
        if not missing:
            return target
        try:
            with tempfile.TemporaryDirectory(dir=folder) as arrivals:
                copy(missing, Path(arrivals))
                for name in missing:
                    fashion_mnist.verified(Path(arrivals) / name)
                    os.replace(Path(arrivals) / name, target / name)
            return target
        except (OSError, subprocess.SubprocessError, DatasetCorrupt) as error:
            answers.append(f"{title}: {error}")
    raise DatasetMissing("Fashion-MNIST is not to be had. " + "; ".join(answers))


def _is_good(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        fashion_mnist.verified(path)
    except DatasetCorrupt:
        return False
    return True


def _copy_from_system(names: Iterable[str], arrivals: Path) -> None:
    for name in names:
        shutil.copyfile(fashion_mnist.SYSTEM_FOLDER / name, arrivals / name)


def _copy_from_debian(names: Iterable[str], arrivals: Path) -> None:
    subprocess.run(["apt-get", "download", PACKAGE], cwd=arrivals, check=True, capture_output=True, timeout=300)
    for package in arrivals.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package.name, "unpacked"], cwd=arrivals, check=True, capture_output=True)
    unpacked = arrivals / "unpacked" / fashion_mnist.SYSTEM_FOLDER.relative_to("/")
    for name in names:
        os.replace(unpacked / name, arrivals / name)


def _copy_from_home(names: Iterable[str], arrivals: Path) -> None:
    for name in names:
        with urllib.request.urlopen(HOME + name, timeout=60) as answer, (arrivals / name).open("wb") as file:
            shutil.copyfileobj(answer, file)


SOURCES: dict[str, Copier] = {
    str(fashion_mnist.SYSTEM_FOLDER): _copy_from_system,
    f"Debian's {PACKAGE}": _copy_from_debian,
    HOME: _copy_from_home,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.data.fetch", description=__doc__)
    parser.add_argument("folder", type=Path, help="the datasets folder, e.g. .saddle/datasets")
    try:
        print(fetch(parser.parse_args().folder))
    except DatasetMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
