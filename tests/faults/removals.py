"""`python -m tests.faults.removals`: removes one guard at a time from a copy of the source; says which tests fail.

A guard whose removal fails no test is not tested: the exit status is then 1.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.faults.process import ROOT

COPIED = ("alembic", "api", "embedded", "models", "saddle", "store", "tests", "worker", "alembic.ini", "pyproject.toml")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?:\[| |$)", re.MULTILINE)


@dataclass(frozen=True)
class Removal:
    guard: str
    file: str
    source: str
    """The source to replace, which occurs once in the file."""
    instead: str
    tests: tuple[str, ...]
    """The tests that should fail."""


REMOVALS = (
    Removal(
        "a write names the attempt that holds the job",
        "store/runs.py",
        "tables.Job.id == job_id, states.held_by(attempt)",
        "tables.Job.id == job_id, tables.Job.status.in_(states.HELD)",
        ("tests/store/test_runs.py", "tests/faults/test_02_one_runner.py"),
    ),
    Removal(
        "a claim takes queued jobs only",
        "store/runs.py",
        "tables.Job.id == job_id, tables.Job.status == states.QUEUED, tables",
        "tables.Job.id == job_id, tables",
        ("tests/store/test_runs.py", "tests/faults/test_02_one_runner.py"),
    ),
    Removal(
        "a runner that cannot renew ends itself",
        "worker/lease.py",
        'raise DatabaseAway("the database has been away for as long as the lease")',
        "return",
        ("tests/worker/test_lease.py",),
    ),
    Removal(
        "the reconciler frees lost jobs",
        "worker/reconciler.py",
        "runs.recover_lost(session, backoff_seconds=settings.backoff_seconds) if frees else []",
        "[]",
        ("tests/worker/test_reconciler.py", "tests/faults/test_03_dead_worker.py"),
    ),
    Removal(
        "the reconciler repeats hints",
        "worker/reconciler.py",
        "for job_id in waiting[: max(missing, 0)]:",
        "for job_id in []:",
        ("tests/worker/test_reconciler.py", "tests/faults/test_01_accepted_job.py"),
    ),
    Removal(
        "files are synced before their folder has its name",
        "store/artifacts/local.py",
        """                disk.sync(file)
            disk.sync(temporary)
            temporary.rename(final)
""",
        """                pass
            temporary.rename(final)
            for file in final.iterdir():
                disk.sync(file)
            disk.sync(final)
""",
        ("tests/store/test_artifacts.py",),
    ),
    Removal(
        "a folder is filled under a temporary name",
        "store/artifacts/local.py",
        "temporary = _hidden(final, PARTIAL)",
        "temporary = final",
        ("tests/store/test_artifacts.py", "tests/faults/test_07_checkpoints.py"),
    ),
    Removal(
        "a checkpoint's files are checked against its manifest",
        "models/checkpoints/checkpoint.py",
        "if name not in manifest.files or hashlib.sha256(content).hexdigest() != manifest.files[name].sha256:",
        "if name not in manifest.files:",
        ("tests/models/test_checkpoint.py", "tests/faults/test_07_checkpoints.py"),
    ),
    Removal(
        "nothing that is not finite is saved",
        "models/training/guard/detectors/non_finite.py",
        'suspects["the state"] = state.tensors()',
        "pass",
        ("tests/models/test_guard.py", "tests/faults/test_10_finite.py"),
    ),
    Removal(
        "a stop does not change where the guard goes back to",
        "models/training/loop.py",
        "replace(state.snapshot(progress), good=good)",
        "state.snapshot(progress)",
        ("tests/models/test_resume.py", "tests/models/test_resume_sampled.py"),
    ),
    Removal(
        "a stuck writer is ended",
        "worker/stuck_writers.py",
        "os.kill(pid, signal.SIGKILL)",
        "os.kill(pid, 0)",
        ("tests/worker/test_stuck_writers.py",),
    ),
    Removal(
        "a crash is counted",
        "store/runs.py",
        "job.crashes += 1",
        "pass",
        ("tests/store/test_runs.py", "tests/faults/test_05_crash_loop.py"),
    ),
    Removal(
        "a cancel wins over a success",
        "store/runs.py",
        """    if job.status == states.CANCELLING:
        status, reason = states.CANCELLED, states.CANCELLED_BY_CLIENT
    states.move""",
        """    job.status = states.RUNNING
    states.move""",
        ("tests/store/test_states.py", "tests/store/test_runs.py"),
    ),
    Removal(
        "a runner dies with its supervisor",
        "worker/runner.py",
        "    die_with_parent(parent_pid)\n",
        "",
        ("tests/faults/test_03_dead_worker.py",),
    ),
    Removal(
        "the second POST with a key waits for the first one's answer",
        "store/idempotency.py",
        "if taken is not None:",
        "if True:",
        ("tests/store/test_idempotency.py", "tests/faults/test_14_retried_post.py"),
    ),
    Removal(
        "a viewer that missed something reads the database",
        "api/resources/events.py",
        "elif heard.id == last + 1:",
        "elif heard.id > last:",
        ("tests/api/resources/test_series.py", "tests/faults/test_12_metrics.py"),
    ),
)


def try_out(removal: Removal) -> list[str]:
    """Return the tests that fail without the guard: the first of each file."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="saddle-removal-") as name:
        tree = Path(name)
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, tree / part)
        file = tree / removal.file
        text = file.read_text(encoding="utf-8")
        assert text.count(removal.source) == 1, f"{removal.file} does not hold the guard once: {removal.guard}"
        file.write_text(text.replace(removal.source, removal.instead), encoding="utf-8")
        for tests in removal.tests:
            command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--timeout", "300", tests]
            run = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
            failed += FAILED.findall(run.stdout)
    return failed


def main(arguments: list[str]) -> int:
    """Remove the guards whose description holds one of the arguments; all without arguments."""
    unnoticed = 0
    for removal in REMOVALS:
        if arguments and not any(word in removal.guard for word in arguments):
            continue
        failed = try_out(removal)
        unnoticed += not failed
        print(f"without “{removal.guard}” ({removal.file}):", flush=True)
        print("\n".join(f"  {test}" for test in failed) or "  NO TEST FAILS", flush=True)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
