"""Judging: the best checkpoints of a run are measured again with fresh noise, so that none is best by luck."""

import torch

from models import evaluators
from models.checkpoints.checkpoint import CorruptCheckpoint
from models.evaluators import References
from models.generation import sampling
from models.specs import TrainingSpec, figures
from store import checkpoints
from worker.attempt import Attempt

MOST = 3
FRESH = 1
"""The number of the noise. Evaluations during a run draw number 0."""


def judge(
    attempt: Attempt, spec: TrainingSpec, references: References, *, device: torch.device, images_seen: int
) -> None:
    """Measure up to three of the best checkpoints again, and make the best of them the job's best.

    Raises Stopped between two measurements, LeaseLost.
    """
    rows = attempt.read(lambda session: checkpoints.best(session, job_id=attempt.job.id, limit=MOST))
    if len(rows) < 2:
        return
    judged = {}
    for row in rows:
        attempt.raise_if_stopped()
        try:
            generator = sampling.load(attempt.artifacts.local_copy(row.path), device=device)
        except (CorruptCheckpoint, FileNotFoundError) as error:
            attempt.log(f"checkpoint {row.id} cannot be judged again: {error}", images_seen=images_seen)
            continue
        found = evaluators.evaluate(
            generator.module, spec=spec, references=references, noise=FRESH, done=lambda _: attempt.raise_if_stopped()
        )
        if found.figures:
            judged[row.id] = (found.values, figures.rank(found.values))
    if judged:
        best = attempt.write(
            lambda session: checkpoints.judge(
                session, job_id=attempt.job.id, attempt=attempt.job.attempt, judged=judged
            )
        )
        seen = next(row.images_seen for row in rows if row.id == best)
        message = f"judged the {len(judged)} best checkpoints again with fresh noise: that at {seen:,} images is best"
        attempt.log(message, images_seen=images_seen)
