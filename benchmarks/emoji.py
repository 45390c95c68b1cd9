"""`python -m benchmarks.emoji FOLDER`: four designs of emoji as zip archives of 64x64 pictures, to train on.

`emoji.zip` holds all of them, in folders by group. `noto.zip`, `twemoji.zip`, `openmoji.zip` and `fluent.zip` hold one
design each; equal file names are the same code points, so that two designs are pairs. The drawings come from npm's
packages `@iconify-json/…`, pinned by their SHA-256.
"""

import argparse
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resvg_py

REGISTRY = "https://registry.npmjs.org"
SIDE = 64
GROUPS = {
    "Activities": "activities",
    "Animals & Nature": "nature",
    "Animals Nature": "nature",
    "Flags": "flags",
    "Food & Drink": "food",
    "Food Drink": "food",
    "Objects": "objects",
    "People & Body": "people",
    "People Body": "people",
    "Smileys & Emotion": "smileys",
    "Smileys Emotion": "smileys",
    "Symbols": "symbols",
    "Travel & Places": "places",
    "Travel Places": "places",
}
"""Unicode's groups by the names that the packages give them. Other categories are no emoji."""


@dataclass(frozen=True)
class Design:
    name: str
    package: str
    version: str
    sha256: str
    licence: str


DESIGNS = (
    Design(
        "noto",
        "noto",
        "1.2.9",
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        "Apache-2.0",
    ),
    Design(
        "twemoji", "twemoji", "1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7", "CC-BY-4.0"
    ),
    Design(
        "openmoji",
        "openmoji",
        "1.2.29",
        "03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
        "CC-BY-SA-4.0",
    ),
    Design(
        "fluent",
        "fluent-emoji-flat",
        "1.2.6",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        "MIT",
    ),
)


@dataclass(frozen=True)
class Drawing:
    """One emoji of one design."""

    code_points: str
    group: str
    svg: str


def fetch(design: Design) -> bytes:
    """Download a package. Raises SystemExit if its content is not the pinned one."""
    address = f"{REGISTRY}/@iconify-json/{design.package}/-/{design.package}-{design.version}.tgz"
    with urllib.request.urlopen(address, timeout=120) as answer:
        content: bytes = answer.read()
    if hashlib.sha256(content).hexdigest() != design.sha256:
        raise SystemExit(f"error: {address} is not the package that was pinned")
    return content


def drawings(package: bytes) -> Iterator[Drawing]:
    """Yield the emoji of a package, each code point once."""
    with tarfile.open(fileobj=io.BytesIO(package)) as file:
        icons, chars, metadata = (_json(file, name) for name in ("icons", "chars", "metadata"))
    categories = metadata["categories"].items()
    groups = {name: GROUPS[title] for title, names in categories if title in GROUPS for name in names}
    seen = set()
    aliases = icons.get("aliases", {})
    for code_points, called in sorted(chars.items()):
        name = aliases.get(called, {}).get("parent", called)
        if name not in groups or name in seen:
            continue
        seen.add(name)
        icon = icons["icons"][name]
        width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        size = f'width="{SIDE}" height="{SIDE}" viewBox="{box}"'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{icon["body"]}</svg>'
        yield Drawing(code_points, groups[name], svg)


def _json(file: tarfile.TarFile, name: str) -> Any:
    member = file.extractfile(f"package/{name}.json")
    assert member is not None
    return json.load(member)


def render(drawing: Drawing) -> bytes:
    """Draw an emoji as a PNG of 64x64 pixels on white."""
    return bytes(resvg_py.svg_to_bytes(svg_string=drawing.svg, background="white"))


def write(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, content in sorted(members.items()):
            file.writestr(zipfile.ZipInfo(name), content)  # without the time, so that the archive is always the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    everything: dict[str, bytes] = {}
    with ProcessPoolExecutor() as pool:
        for design in DESIGNS:
            found = list(drawings(fetch(design)))
            pictures = list(pool.map(render, found, chunksize=64))
            pairs = list(zip(found, pictures, strict=True))
            write(folder / f"{design.name}.zip", {f"{one.group}/{one.code_points}.png": png for one, png in pairs})
            everything |= {f"{one.group}/{design.name}-{one.code_points}.png": png for one, png in pairs}
            print(f"{design.name:9}{len(found):7,} emoji ({design.licence})", file=sys.stderr)
    write(folder / "emoji.zip", everything)
    print(f"{len(everything):,} pictures: saddle datasets add emoji {folder / 'emoji.zip'}")


if __name__ == "__main__":
    main()
