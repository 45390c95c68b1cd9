"""The first installation, without a network: its commands, its output, and what it does when uv fails."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from embedded import install

TALK = """\
print("Collecting alembic==1.20.1")
print("WARNING: Location 'file:///nowhere/alembic/' is ignored: it is neither a file nor a directory.")
print("  Downloading torch-2.13.0.whl (181.0 MB)")
print("WARNING: Retrying (Retry(total=4, connect=None))")
print("ERROR: No matching distribution found for torch==2.13.0")
raise SystemExit(STATUS)
"""


class Machine:
    """Records the commands, and fails those with `broken` among their words."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.commands: list[str] = []

    def run(self, command: Sequence[str], **_: object) -> None:
        self.commands.append(" ".join(command))
        if self.broken and self.broken in self.commands[-1]:
            raise install.Failed(command, ["Resolving", "error: no such package", "  because of something"])

    def kinds(self) -> list[str]:
        """Return the commands' kinds, in order."""
        kinds = {"-m venv": "venv", "--target": "get uv", "bin/uv pip": "uv", "-m pip": "pip"}
        return [next(kind for part, kind in kinds.items() if part in command) for command in self.commands]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(install, "run", made.run)
    listing = subprocess.CompletedProcess([], 0, stdout="global.find-links='/srv/wheels'\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: listing)
    return made


def test_uv_installs_what_pip_would(machine: Machine, tmp_path: Path) -> None:
    install.install(tmp_path)
    assert machine.kinds() == ["venv", "get uv", "uv", "uv"]
    for command in machine.commands[2:]:
        assert "--find-links /srv/wheels" in command
        assert f"--python {tmp_path}/bin/python" in command
    assert machine.commands[2].endswith("-r requirements.lock")
    assert machine.commands[3].endswith("-e .")


@pytest.mark.parametrize("broken", ["--target", "bin/uv pip"])
def test_where_uv_fails_pip_installs_afresh_and_one_line_says_so(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    machine.broken = broken
    install.install(tmp_path)
    assert machine.kinds()[-3:] == ["venv", "pip", "pip"]
    assert "--clear" in machine.commands[-3]
    told = [line for line in capsys.readouterr().out.splitlines() if "instead of uv" in line]
    assert told == ["pip installs instead of uv: no such package"]


def test_a_setting_that_uv_cannot_be_told_is_pips(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = subprocess.CompletedProcess([], 0, stdout="global.no-binary=':all:'\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: listing)
    install.install(tmp_path)
    assert machine.kinds() == ["venv", "venv", "pip", "pip"]


def test_of_what_pip_says_progress_warnings_and_errors_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-c", TALK.replace("STATUS", "0")]
    install.run(command, shown=install.PIP_SHOWN)
    shown = capsys.readouterr().out
    assert "Collecting" not in shown
    assert "is ignored" not in shown
    for line in ("Downloading torch-2.13.0.whl (181.0 MB)", "WARNING: Retrying", "ERROR: No matching"):
        assert line in shown


def test_a_command_that_fails_raises_with_its_end() -> None:
    command = [sys.executable, "-c", TALK.replace("STATUS", "1")]
    with pytest.raises(install.Failed, match=r"^No matching distribution") as raised:
        install.run(command, shown=install.PIP_SHOWN)
    assert raised.value.end.startswith("Collecting alembic")
    assert "is ignored" not in raised.value.end


def test_where_pip_fails_too_the_command_does(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.broken = "install"
    monkeypatch.setattr(sys, "argv", ["install", str(tmp_path)])
    assert install.main() == 1
    assert capsys.readouterr().err.endswith("error: no such package\n")


def test_a_python_that_is_too_old_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "OLDEST", (99, 0))
    assert install.main() == 1
    assert re.fullmatch(r"error: Saddle needs Python 99\.0 or newer, and \S+ is 3\.\d+\.\d+\n", capsys.readouterr().err)


def test_the_oldest_python_is_that_of_the_packages() -> None:
    required = re.search(r'requires-python = ">=(\d+)\.(\d+)"', Path("pyproject.toml").read_text(encoding="utf-8"))
    assert required
    assert tuple(map(int, required.groups())) == install.OLDEST
