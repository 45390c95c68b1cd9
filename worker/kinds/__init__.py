"""The kinds of job, each with the module that runs it.

A module is imported by the runner of a job of its kind and by nobody else: training imports torch, which the Celery
process, the supervisor and the reconciler must not.
"""

from collections.abc import Callable
from importlib import import_module

from store import datasets, evaluations, jobs
from worker.attempt import Attempt

Run = Callable[[Attempt], None]
"""A function that does an attempt's work. It ends the job by `finish` or `pause_on_failure`, or raises `Stopped` when
asked to stop. Any other exception is a crash.
"""


class UnknownKind(Exception):
    """The job is of a kind that this release does not know."""


def load(kind: str) -> Run:
    """Import the module of a kind and return its function `run`. Raises UnknownKind."""
    if kind not in REGISTRY:
        raise UnknownKind(f"this worker runs jobs of the kinds {', '.join(REGISTRY)}, not {kind}: upgrade it")
    run: Run = import_module(REGISTRY[kind]).run
    return run


REGISTRY = {
    jobs.TRAINING: "worker.kinds.training",
    datasets.IMPORT: "worker.kinds.dataset_import",
    evaluations.EVALUATION: "worker.kinds.evaluation",
}
