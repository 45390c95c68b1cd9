"""Training: trains one attempt at a job and records its ticks, evaluations, repairs, checkpoints and end."""

import time
from dataclasses import replace
from pathlib import Path

import torch

from models import data, training
from models.checkpoints import checkpoint, forks
from models.checkpoints.progress import Progress
from models.data.errors import DatasetMissing
from models.runtime import parallel, precision
from models.specs import figures, stored
from store import checkpoints, datasets, payloads, states
from store.payloads import Reason
from worker import ranks
from worker.attempt import Attempt, Stopped


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

    def run(self) -> None:
        attempt, spec = self._attempt, self._spec
        device = _device(attempt.settings.device)
        number = ranks.count(spec, limit=attempt.settings.processes, device=device)
        device = ranks.device_of(0, device=device, number=number)
        dataset = data.load(spec.dataset, folder=self._dataset_folder())
        resume = self._newest_checkpoint()
        progress = resume.snapshot.progress if resume else Progress()
        numbers = precision.autocast_dtype(spec.precision, device=device) or torch.float32
        place = f"resumes at {progress.images_seen:,} images" if resume else "starts"
        company = f", {number} processes" if number > 1 else ""
        message = f"{place} on {device} in {numbers}{company}"
        attempt.log(message, images_seen=progress.images_seen)
        with ranks.started(ranks.Task(spec, resume), number=number, device=device) as group:
            self._train(dataset, device=device, resume=resume, group=group)

    def _train(
        self,
        dataset: data.ImageData,
        *,
        device: torch.device,
        resume: checkpoint.Checkpoint | None,
        group: parallel.Group,
    ) -> None:
        attempt = self._attempt
        seconds_before = resume.snapshot.progress.training_seconds if resume else 0.0
        began = time.monotonic()
        for event in training.train(
            self._spec, dataset=dataset, device=device, resume=resume, stop=attempt.stop, group=group
        ):
            match event:
                case training.Tick():
                    seconds_trained = seconds_before + time.monotonic() - began
                    attempt.tick(images_seen=event.images_seen, seconds_trained=seconds_trained, values=event.values)
                case training.CheckpointDue():
                    self._save(event)
                case training.Compiled():
                    attempt.log(f"compiled in {event.seconds:.0f} s", images_seen=event.images_seen)
                case training.Evaluated():
                    self._evaluated = event
                    attempt.event("evaluation", event.values, images_seen=event.images_seen)
                case training.Repaired():
                    repair = payloads.GuardRepair(event.detector, event.remedy, event.details)
                    attempt.event("guard", repair, images_seen=event.images_seen)
                case training.Finished(reason="stopped"):
                    raise Stopped
                case training.Finished():
                    used_up = f"{event.reason.removeprefix('budget_')} of the budget are used up"
                    attempt.finish(states.SUCCEEDED, Reason("completed", f"the {used_up}"))

    def _dataset_folder(self) -> Path:
        """Return the folder of the dataset's files. Raises DatasetMissing."""
        attempt, dataset = self._attempt, self._spec.dataset
        if dataset.kind == "builtin":
            return attempt.settings.datasets_dir
        row = attempt.read(lambda session: datasets.usable(session, dataset_id=dataset.id, tenant=attempt.job.tenant))
        if row is None or row.path is None:
            raise DatasetMissing(f"dataset {dataset.id} ({dataset.name}) has been deleted")
        return attempt.artifacts.local_copy(row.path)

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


def _device(wish: str) -> torch.device:
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wish)


def _permanent(error: BaseException) -> Reason | None:
    """Return the reason to fail the job if a retry would raise this again, else None."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return Reason("out_of_memory", f"lower batch_size or the widths of the architecture: {error}")
    if isinstance(error, torch._dynamo.exc.TorchDynamoException):
        said = str(error).partition("\n")[0]
        return Reason("not_compiled", f"set compile to false, or give the worker a C++ compiler, g++: {said}")
    return None
