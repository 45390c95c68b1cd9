"""Evaluation: draws images from a checkpoint and measures them against real ones."""

import math
import time
from collections.abc import Container

import numpy as np
from torch import Tensor

from models import data, evaluators
from models.checkpoints.checkpoint import CorruptCheckpoint
from models.data.errors import DatasetError
from models.evaluators import EXTRACTORS, Evaluation, ExtractorMissing, References
from models.evaluators.reference import MOST, MOST_PUBLISHED
from models.generation import pictures, sampling
from models.specs import TrainingSpec
from models.specs.evaluations import CompleteProtocol, Figure, Protocol
from models.specs.figures import REGISTRY as METRICS
from store import evaluations, states
from store.payloads import Reason
from worker import places
from worker.attempt import Attempt

TICK_SECONDS = 1.0
COLUMNS = 8
"""Pairs in a row of the picture of the nearest pairs."""
VERSION = 1
"""The version of the protocol. Raised when what is computed from the same images changes."""


def run(attempt: Attempt) -> None:
    """Measure, and end the job with the figures. Raises LeaseLost."""
    row = attempt.read(lambda session: evaluations.of_job(session, job_id=attempt.job.id))
    subject = attempt.read(lambda session: evaluations.subject(session, evaluation=row))
    try:
        if subject is None:
            raise FileNotFoundError
        folder = attempt.artifacts.local_copy(subject.path)
        generator = sampling.load(folder, device=places.device(attempt.settings.device))
    except FileNotFoundError:
        message = f"checkpoint {row.subject_checkpoint} has been removed: evaluate a newer one"
        attempt.finish(states.FAILED, Reason("checkpoint_gone", message))
        return
    except CorruptCheckpoint as error:
        attempt.finish(states.FAILED, Reason("checkpoint_damaged", str(error)))
        return
    wish = Protocol.model_validate(row.wish)
    try:
        references = _references(attempt, generator.spec, wish)
    except DatasetError as error:
        attempt.finish(states.FAILED, Reason("dataset_missing", str(error)))
        return
    extractor = _extractor(wish, generator.spec, row.metrics)
    drawn = evaluators.draw(
        generator.module, spec=generator.spec, references=references, samples=wish.samples, seed=wish.seed
    )
    along_paths = evaluators.draw_path(
        generator.module, row.metrics, spec=generator.spec, references=references, seed=wish.seed
    )
    attempt.raise_if_stopped()
    try:
        evaluation = evaluators.measure(
            row.metrics,
            dataset=generator.spec.dataset,
            references=references,
            fake_NCHW=drawn,
            path_NCHW=along_paths,
            extractor=extractor,
            done=_Progress(attempt, images=wish.samples).note,
        )
    except ExtractorMissing as error:
        attempt.finish(states.FAILED, Reason("extractor_missing", str(error)))
        return
    nearest = _store_nearest(attempt, evaluation, drawn, references)
    protocol = _complete(wish, generator.spec, references, extractor=extractor)
    reason = Reason("completed", f"{len(evaluation.figures)} figures of {wish.samples:,} samples")
    attempt.end(
        lambda session: evaluations.complete(
            session,
            job_id=attempt.job.id,
            attempt=attempt.job.attempt,
            figures=_figures(evaluation),
            unavailable=dict(evaluation.unavailable),
            protocol=protocol.model_dump(mode="json"),
            nearest=nearest,
            reason=reason,
        )
    )


class _Progress:
    """Records about once a second how many samples were looked at, and stops when the runner is asked to."""

    def __init__(self, attempt: Attempt, *, images: int) -> None:
        self._attempt = attempt
        self._images = images
        self._seen = 0
        self._began = self._told_at = time.monotonic()

    def note(self, images: int) -> None:
        self._seen = min(self._images, self._seen + images)  # another extractor looks at the samples again
        now = time.monotonic()
        if now - self._told_at < TICK_SECONDS:
            return
        self._told_at = now
        self._attempt.raise_if_stopped()
        self._attempt.tick(images_seen=self._seen, seconds_trained=now - self._began, values={})


def _references(attempt: Attempt, spec: TrainingSpec, wish: Protocol) -> References:
    """Load the real images. Raises DatasetError."""
    folder = places.dataset_folder(attempt, spec.dataset)
    train = data.load(spec.dataset, folder=folder)
    held_out = wish.reference == "holdout" and spec.dataset.facts.holdout_images > 0
    holdout = data.load(spec.dataset, folder=folder, split="holdout") if held_out else None
    most = MOST_PUBLISHED if wish.extractor == "inception" else MOST
    return References.of(train, holdout, most=most, cache=attempt.settings.features_dir)


def _extractor(wish: Protocol, spec: TrainingSpec, metrics: Container[str]) -> str | None:
    """Return the extractor of the features that the metrics need; None if none does."""
    if not any("features" in facts.needs for name, facts in METRICS.items() if name in metrics):
        return None
    return spec.dataset.facts.features if wish.extractor == "auto" else wish.extractor


def _store_nearest(attempt: Attempt, evaluation: Evaluation, drawn: Tensor, references: References) -> str | None:
    """Draw the samples that are nearest to training images, each above its image. Return the key; None: none known."""
    if not evaluation.nearest:
        return None
    samples, images = (list(numbers) for numbers in zip(*evaluation.nearest, strict=True))
    picture = pictures.pairs_HWC(
        drawn[samples].cpu().numpy().transpose(0, 2, 3, 1),
        references.train.images.images_NCHW[images].transpose(0, 2, 3, 1).astype(np.uint8, copy=False),
        columns=COLUMNS,
    )
    key = attempt.key("nearest")
    attempt.put(key, lambda folder: (folder / evaluations.NEAREST).write_bytes(pictures.png(picture)))
    return key


def _complete(wish: Protocol, spec: TrainingSpec, references: References, *, extractor: str | None) -> CompleteProtocol:
    return CompleteProtocol(
        version=VERSION,
        extractor=extractor,
        extractor_digest=None if extractor is None else EXTRACTORS[extractor].digest,
        samples=wish.samples,
        seed=wish.seed,
        reference="holdout" if references.held_out else "train",
        reference_images=len(references.real),
        reference_digest=references.real.digest,
        dataset=spec.dataset.name,
    )


def _figures(evaluation: Evaluation) -> dict[str, object]:
    return {
        name: Figure(
            value=figure.value, interval=(_finite(figure.low), _finite(figure.high)), note=figure.note
        ).model_dump(mode="json")
        for name, figure in evaluation.figures.items()
    }


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
