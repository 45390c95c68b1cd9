"""Training: trains one attempt at a job and records its ticks, evaluations, repairs, checkpoints and end."""

import time
from dataclasses import replace

import torch

from models import data, training
from models.checkpoints import checkpoint, forks
from models.checkpoints.progress import Progress
from models.data.errors import DatasetMissing
from models.evaluators import References
from models.runtime import parallel, precision
from models.specs import figures, stored
from store import checkpoints, payloads, states
from store.payloads import Reason
from worker import places, ranks
from worker.attempt import Attempt, Stopped
from worker.kinds import judging, timeline

STRONG_AUGMENTATION = 0.8
"""Above it, changes of the discriminator's view leak into the samples (Karras et al. 2020, section 2.2)."""


class _OriginDamaged(Exception):
    """A fork has no checkpoint to begin from."""


def run(attempt: Attempt) -> None:
    """Train until the budget is spent. A failure that a retry would repeat ends the job.

    Raises Stopped, LeaseLost, StorageFull.
    """
    try:
        _Training(attempt).run()
    except training.Diverged as error:
        attempt.finish(states.DIVERGED, Reason(error.code, str(error)))
    except DatasetMissing as error:
        attempt.finish(states.FAILED, Reason("dataset_missing", str(error)))
    except _OriginDamaged as error:
        attempt.finish(states.FAILED, Reason("checkpoint_damaged", str(error)))
    except (MemoryError, RuntimeError) as error:
        if (reason := _permanent(error)) is None:
            raise
        attempt.finish(states.FAILED, reason)


class _Training:
    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._spec = stored.read(attempt.job.spec)
        self._evaluated: training.Evaluated | None = None
        self._unavailable: set[str] = set()
        self._warned = False

    def run(self) -> None:
        attempt, spec = self._attempt, self._spec
        device = places.device(attempt.settings.device)
        number = ranks.count(spec, limit=attempt.settings.processes, device=device)
        device = ranks.device_of(0, device=device, number=number)
        folder = places.dataset_folder(attempt, spec.dataset)
        dataset = data.load(spec.dataset, folder=folder)
        holdout = data.load(spec.dataset, folder=folder, split="holdout") if spec.dataset.facts.holdout_images else None
        references = References.of(dataset, holdout, cache=attempt.settings.features_dir)
        resume = self._newest_checkpoint()
        progress = resume.snapshot.progress if resume else Progress()
        numbers = precision.autocast_dtype(spec.precision, device=device) or torch.float32
        place = f"resumes at {progress.images_seen:,} images" if resume else "starts"
        company = f", {number} processes" if number > 1 else ""
        message = f"{place} on {device} in {numbers}{company}"
        attempt.log(message, images_seen=progress.images_seen)
        with ranks.started(ranks.Task(spec, resume), number=number, device=device) as group:
            self._train(dataset, references, device=device, resume=resume, group=group)

    def _train(
        self,
        dataset: data.ImageData,
        references: References,
        *,
        device: torch.device,
        resume: checkpoint.Checkpoint | None,
        group: parallel.Group,
    ) -> None:
        attempt = self._attempt
        seconds_before = resume.snapshot.progress.training_seconds if resume else 0.0
        began = time.monotonic()
        for event in training.train(
            self._spec,
            dataset=dataset,
            references=references,
            device=device,
            resume=resume,
            stop=attempt.stop,
            group=group,
        ):
            match event:
                case training.Tick():
                    seconds_trained = seconds_before + time.monotonic() - began
                    attempt.tick(images_seen=event.images_seen, seconds_trained=seconds_trained, values=event.values)
                    self._warn_of_little_data(event)
                case training.Begun():
                    timeline.draw(attempt, event.snapshot, images_seen=event.images_seen, device=device)
                case training.CheckpointDue():
                    self._save(event)
                    timeline.draw(attempt, event.snapshot, images_seen=event.images_seen, device=device)
                case training.Compiled():
                    attempt.log(f"compiled in {event.seconds:.0f} s", images_seen=event.images_seen)
                case training.Evaluated():
                    self._evaluated = event
                    self._tell_unavailable(event)
                    attempt.event("evaluation", event.values, images_seen=event.images_seen)
                case training.Repaired():
                    repair = payloads.GuardRepair(event.detector, event.remedy, event.details)
                    attempt.event("guard", repair, images_seen=event.images_seen)
                case training.Finished(reason="stopped"):
                    raise Stopped
                case training.Finished():
                    judging.judge(attempt, self._spec, references, device=device, images_seen=event.images_seen)
                    attempt.finish(states.SUCCEEDED, self._why(event))

    def _why(self, end: training.Finished) -> Reason:
        """Return the reason why a run that was not stopped has ended."""
        if end.reason == "early_stopped":
            evaluations = self._spec.evaluation.patience
            return Reason("early_stopped", f"the last {evaluations} evaluations were no better than the best")
        return Reason("completed", f"the {end.reason.removeprefix('budget_')} of the budget are used up")

    def _warn_of_little_data(self, tick: training.Tick) -> None:
        """Tell, once, that the augmentation has become so strong that it shows in samples."""
        if self._warned or tick.values.get("augment_p", 0.0) <= STRONG_AUGMENTATION:
            return
        self._warned = True
        message = (
            f"augment_p is above {STRONG_AUGMENTATION}: the discriminator knows the training images by heart even when "
            "most are changed. Add images, or make the discriminator smaller"
        )
        self._attempt.log(message, images_seen=tick.images_seen)

    def _tell_unavailable(self, event: training.Evaluated) -> None:
        """Tell, once for each, which metrics cannot be measured."""
        for metric in sorted(set(event.unavailable) - self._unavailable):
            self._unavailable.add(metric)
            message = f"{metric} cannot be measured: {event.unavailable[metric]}"
            self._attempt.log(message, images_seen=event.images_seen)

    def _newest_checkpoint(self) -> checkpoint.Checkpoint | None:
        """Read the newest checkpoint that is whole; report and pass over a damaged one. Raises _OriginDamaged."""
        attempt = self._attempt
        for row in attempt.saved():
            try:
                found = checkpoint.read(attempt.artifacts.local_copy(row.path))
            except (checkpoint.CorruptCheckpoint, FileNotFoundError) as error:
                attempt.log(f"checkpoint {row.id} is damaged: {error}", images_seen=row.images_seen)
                continue
            forked = row.attempt == checkpoints.ADOPTED
            return replace(found, snapshot=forks.begin(found.snapshot, self._spec)) if forked else found
        if attempt.job.forked_from_checkpoint is not None:
            raise _OriginDamaged(
                "no checkpoint is whole, and a fork cannot begin without its parent's: fork another one"
            )
        return None

    def _save(self, due: training.CheckpointDue) -> None:
        attempt = self._attempt
        key = attempt.key(f"checkpoints/{due.images_seen:015d}")
        manifest = attempt.put(key, lambda folder: checkpoint.write(folder, due.snapshot))
        evaluated = self._evaluated
        quality = evaluated.values if evaluated and evaluated.images_seen == due.images_seen else None
        attempt.add_checkpoint(
            checkpoints.NewCheckpoint(
                images_seen=due.images_seen,
                seconds_trained=due.snapshot.progress.training_seconds,
                path=key,
                size_bytes=sum(file.bytes for file in manifest.files.values()),
                quality=quality,
                rank=None if quality is None else figures.rank(quality),
            )
        )


def _permanent(error: BaseException) -> Reason | None:
    """Return the reason to fail the job if a retry would raise this again, else None."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return Reason("out_of_memory", f"lower batch_size or the widths of the architecture: {error}")
    if isinstance(error, torch._dynamo.exc.TorchDynamoException):
        said = str(error).partition("\n")[0]
        return Reason("not_compiled", f"set compile to false, or give the worker a C++ compiler, g++: {said}")
    return None
