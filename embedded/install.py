"""The command `python -m embedded.install FOLDER`: a virtual environment with the packages of requirements.lock.

It runs before anything is installed, so it needs the standard library alone. uv installs what pip would in a fraction
of the time. If uv is not available or fails, pip installs.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded import pip_settings

OLDEST = (3, 11)
UV = "uv==0.13.9"
LOCK = Path("requirements.lock")
PACKAGES = ["-r", str(LOCK)]
SADDLE = ["--no-deps", "--no-build-isolation", "-e", "."]

PIP_SHOWN = re.compile(r"\s*Downloading \S+ .*[MG]B\)|Installing collected packages|(WARNING|ERROR).*")
UV_SHOWN = re.compile(r"(Resolved|Downloading|Building|Prepared|Installed|warning).*")
NOTHING = re.compile(r"(?!)")
NOISE = re.compile(r"WARNING: Location .* is ignored")
"""pip's warning about each package that a folder among its indexes does not have."""


class Failed(Exception):
    """A command that ended with an error. `end` is the last part of its output."""

    def __init__(self, command: Sequence[str], end: Sequence[str]) -> None:
        causes = re.findall(r"^\s*(?:error:|×)\s*(.{,160})", "\n".join(end), re.IGNORECASE | re.MULTILINE)
        super().__init__(causes[-1] if causes else f"{' '.join(command[:4])} failed")
        self.end = "\n".join(end)


def install(folder: Path) -> None:
    """Make a virtual environment, or bring an older one up to date. Raises Failed."""
    began = time.monotonic()
    number = sum("==" in line for line in LOCK.read_text(encoding="utf-8").splitlines())
    say(f"Making {folder} with Python {sys.version.split()[0]}")
    make(folder)
    python = str(folder.absolute() / "bin" / "python")
    try:
        with tempfile.TemporaryDirectory(prefix="saddle-uv-") as place:
            by_uv(python, place, number=number)
    except (Failed, pip_settings.Untold, OSError) as error:
        say(f"pip installs instead of uv: {error}")
        # This removes what uv may have left half done.
        make(folder, "--clear")
        by_pip(python, number=number)
    say(f"Installed in {time.monotonic() - began:.0f} s")


def make(folder: Path, *options: str) -> None:
    run([sys.executable, "-m", "venv", *options, str(folder)])


def by_uv(python: str, place: str, *, number: int) -> None:
    """Install with uv. Raises Failed, Untold, or OSError if uv cannot be started."""
    listing = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    told = pip_settings.tell(pip_settings.read(listing.stdout))
    run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", place, UV])
    say(f"Installing {number} packages with {UV.replace('==', ' ')}")
    # uv's own settings are left out: they might choose other packages than pip's.
    own = {name for name in os.environ if name.startswith("UV_") and name != "UV_CACHE_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in own} | told.environment
    for what in (PACKAGES, SADDLE):
        command = [f"{place}/bin/uv", "pip", "install", "--no-config", "--python", python, *told.flags, *what]
        run(command, shown=UV_SHOWN, environment=environment)


def by_pip(python: str, *, number: int) -> None:
    """Install with pip. Raises Failed."""
    say(f"Installing {number} packages with pip, which takes a minute or two")
    for what in (PACKAGES, SADDLE):
        command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", *what]
        run(command, shown=PIP_SHOWN)


def run(
    command: Sequence[str],
    *,
    shown: re.Pattern[str] = NOTHING,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command and print the matching beginnings of its lines as they come. Raises Failed."""
    end: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as process:
        assert process.stdout is not None
        for line in map(str.rstrip, process.stdout):
            if not line or NOISE.match(line):
                continue
            end.append(line)
            match = shown.match(line)
            if match:
                say(f"  {match[0].strip()}")
    if process.returncode:
        raise Failed(command, end)


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    if sys.version_info[:2] < OLDEST:
        oldest, mine = (".".join(map(str, version)) for version in (OLDEST, sys.version_info[:3]))
        print(f"error: Saddle needs Python {oldest} or newer, and {sys.executable} is {mine}", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog="python -m embedded.install", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the virtual environment")
    try:
        install(parser.parse_args().folder)
    except Failed as error:
        print(f"{error.end}\nerror: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
