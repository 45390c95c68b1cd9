"""Every process of the service tells of a wrong setting in one line, and ends with status 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "serve": ["-m", "embedded.serve"],
    "demo": ["-m", "embedded.demo"],
    "api": ["-m", "api.main"],
    "worker": ["-m", "celery", "-A", "worker.app:app", "worker", "--concurrency", "1"],
    "runner": ["-m", "worker.runner", "job_0", "1"],
    "reconciler": ["-m", "worker.reconciler"],
    "migration": ["-m", "alembic", "upgrade", "head"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_setting_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    wrong = {"SADDLE_DATABASE_URL": "mysql://saddle:s3cr3t@h/saddle", "SADDLE_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, *COMMANDS[name]]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | wrong, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: SADDLE_DATABASE_URL ")
    assert "postgresql+psycopg://" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "s3cr3t" not in ended.stderr
    assert not (tmp_path / "data").exists()
