"""`python -m worker.trainer JOB ATTEMPT`: trains one attempt at a job and writes down what comes of it.

Every write carries the attempt. Once another attempt owns the job, the writes change nothing and this process ends.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import structlog
import torch
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models import checkpoint, data, forks, parallel, precision, training
from models.data.errors import DatasetMissing
from models.position import Position
from models.spec import TrainingSpec
from store import checkpoints, database, logs, runs, states, tables
from store.artifacts import LocalArtifacts
from store.database import Database
from store.errors import LeaseLost, StorageFull
from store.queue import Queue
from store.settings import Settings
from worker import exits, ranks
from worker.process import die_with_parent

log = structlog.get_logger()
T = TypeVar("T")


class _OriginDamaged(Exception):
    """A fork has no checkpoint to begin from."""


class Trainer:
    """One attempt. `stop` turns true at SIGTERM."""

    def __init__(self, *, job: tables.Job, settings: Settings, db: Database, stop: Callable[[], bool]) -> None:
        self.job = job
        self.spec = TrainingSpec.model_validate(job.spec)
        self.settings = settings
        self.db = db
        self.stop = stop
        self.artifacts = LocalArtifacts(settings.artifacts_dir)
        self.quality: tuple[int, dict[str, float]] | None = None
        """Of the newest evaluation, and where it was made."""

    def run(self) -> int:
        """The exit status. Raises LeaseLost."""
        device = _device(self.settings.device)
        number = ranks.count(self.spec, limit=self.settings.processes, device=device)
        device = ranks.device_of(0, device=device, number=number)
        dataset = data.load(self.spec.dataset, folder=self.settings.datasets_dir)
        resume = self._newest_checkpoint()
        position = resume.state.position if resume else Position()
        numbers = precision.autocast_dtype(self.spec.precision, device=device) or torch.float32
        place = f"resumes at {position.images_seen:,} images" if resume else "starts"
        company = f", {number} processes" if number > 1 else ""
        self._event("log", images_seen=position.images_seen, message=f"{place} on {device} in {numbers}{company}")
        with ranks.started(ranks.Task(self.spec, resume), number=number, device=device) as group:
            return self._train(dataset, device=device, resume=resume, group=group)

    def _train(
        self,
        dataset: data.ImageData,
        *,
        device: torch.device,
        resume: checkpoint.Checkpoint | None,
        group: parallel.Group,
    ) -> int:
        position = resume.state.position if resume else Position()
        began = time.monotonic()
        for event in training.train(
            self.spec, dataset=dataset, device=device, resume=resume, stop=self.stop, group=group
        ):
            seconds_trained = position.training_seconds + time.monotonic() - began
            match event:
                case training.Tick():
                    self._tick(event, seconds_trained=seconds_trained)
                case training.CheckpointDue():
                    self._save(event)
                case training.Compiled():
                    self._event("log", images_seen=event.images_seen, message=f"compiled in {event.seconds:.0f} s")
                case training.Evaluated():
                    self.quality = (event.images_seen, event.values)
                    self._event("evaluation", images_seen=event.images_seen, **event.values)
                case training.Repaired():
                    told = {"detector": event.detector, "remedy": event.remedy, "details": event.details}
                    self._event("guard", images_seen=event.images_seen, **told)
                case training.Finished(reason="stopped"):
                    return exits.STOPPED
                case training.Finished():
                    used_up = f"{event.reason.removeprefix('budget_')} of the budget are used up"
                    self._finish(states.SUCCEEDED, states.Reason("completed", f"the {used_up}"))
        return exits.DONE

    def run_guarded(self) -> int:
        """The exit status; what another attempt could not mend either ends the job here. Raises LeaseLost."""
        try:
            return self.run()
        except training.Diverged as error:
            self._finish(states.DIVERGED, states.Reason(error.code, str(error)))
        except DatasetMissing as error:
            self._finish(states.FAILED, states.Reason("dataset_missing", str(error)))
        except _OriginDamaged as error:
            self._finish(states.FAILED, states.Reason("checkpoint_damaged", str(error)))
        except (MemoryError, RuntimeError) as error:
            if (reason := _verdict(error)) is None:
                raise
            self._finish(states.FAILED, reason)
        except StorageFull as error:
            message = str(error)
            self._write(
                lambda session: runs.pause_on_failure(
                    session,
                    job_id=self.job.id,
                    attempt=self.job.attempt,
                    reason=states.Reason("storage_full", f"{message}; free some space, then resume the job"),
                )
            )
        return exits.DONE

    def _newest_checkpoint(self) -> checkpoint.Checkpoint | None:
        """The newest that is whole; a damaged one is told of and passed over. Raises _OriginDamaged."""
        for row in database.retry(self._saved, seconds=self.settings.lease_seconds):
            try:
                found = checkpoint.read(self.artifacts.local_copy(row.path))
                forked = row.attempt == checkpoints.ADOPTED
                return replace(found, state=forks.begin(found.state, self.spec)) if forked else found
            except (checkpoint.CorruptCheckpoint, FileNotFoundError) as error:
                self._event("log", images_seen=row.images_seen, message=f"checkpoint {row.id} is damaged: {error}")
        if self.job.forked_from_checkpoint is not None:
            raise _OriginDamaged(
                "no checkpoint is whole, and a fork cannot begin without its parent's: fork another one"
            )
        return None

    def _saved(self) -> list[tables.Checkpoint]:
        with self.db.read() as session:
            return checkpoints.newest_first(session, job_id=self.job.id)

    def _tick(self, tick: training.Tick, *, seconds_trained: float) -> None:
        self._write(
            lambda session: runs.record_tick(
                session,
                job_id=self.job.id,
                attempt=self.job.attempt,
                images_seen=tick.images_seen,
                seconds_trained=seconds_trained,
                values=tick.values,
            )
        )

    def _save(self, due: training.CheckpointDue) -> None:
        path = f"jobs/{self.job.id}/checkpoints/{due.images_seen:015d}-{self.job.attempt}"
        try:
            manifest = self._put(path, due.state)
        except StorageFull:
            self._delete(self._write(lambda session: self._prune(session, keep_latest=1)))
            manifest = self._put(path, due.state)
        evaluated = self.quality is not None and self.quality[0] == due.images_seen
        new = checkpoints.NewCheckpoint(
            images_seen=due.images_seen,
            seconds_trained=due.state.position.training_seconds,
            path=path,
            size_bytes=sum(file.bytes for file in manifest.files.values()),
            quality=self.quality[1] if evaluated and self.quality else None,
        )
        self._delete(self._write(lambda session: self._register(session, new)))

    def _put(self, path: str, state: checkpoint.State) -> checkpoint.Manifest:
        self.artifacts.delete(path)  # of a run that wrote the folder and was taken back before it could write the row
        with self.artifacts.put(path, min_free_bytes=self.settings.min_free_bytes) as folder:
            return checkpoint.write(folder, state)

    def _register(self, session: Session, new: checkpoints.NewCheckpoint) -> list[str]:
        checkpoints.add(session, job_id=self.job.id, attempt=self.job.attempt, new=new)
        return self._prune(session)

    def _prune(self, session: Session, *, keep_latest: int | None = None) -> list[str]:
        return checkpoints.prune(session, job_id=self.job.id, attempt=self.job.attempt, keep_latest=keep_latest)

    def _delete(self, paths: list[str]) -> None:
        for path in paths:
            self.artifacts.delete(path)

    def _event(self, kind: str, *, images_seen: int, **told: object) -> None:
        self._write(
            lambda session: runs.record_event(
                session,
                job_id=self.job.id,
                attempt=self.job.attempt,
                kind=kind,
                images_seen=images_seen,
                data=told,
            )
        )

    def _finish(self, status: str, reason: states.Reason) -> None:
        self._write(
            lambda session: runs.finish(
                session, job_id=self.job.id, attempt=self.job.attempt, status=status, reason=reason
            )
        )

    def _write(self, work: Callable[[Session], T]) -> T:
        """One unit of work, again while the database is away."""

        def unit() -> T:
            with self.db.write() as session:
                return work(session)

        return database.retry(unit, seconds=self.settings.lease_seconds)


def _device(wish: str) -> torch.device:
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wish)


def _verdict(error: BaseException) -> states.Reason | None:
    """Why a job that raised this would fail again; None: another attempt may fare better."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return states.Reason("out_of_memory", f"lower batch_size or the widths of the architecture: {error}")
    if isinstance(error, torch._dynamo.exc.TorchDynamoException):
        said = str(error).partition("\n")[0]
        return states.Reason("not_compiled", f"set compile to false, or give the worker a C++ compiler, g++: {said}")
    return None


def main(arguments: list[str]) -> int:
    parent_pid = os.getppid()
    die_with_parent(parent_pid)
    logs.configure()
    job_id, attempt = arguments[0], int(arguments[1])
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the supervisor decides
    settings = Settings()
    queue = Queue(settings.redis)
    db = Database(settings.database, deliver=queue.deliver)

    def look() -> tables.Job:
        with db.read() as session:
            return runs.get_held(session, job_id=job_id, attempt=attempt)

    try:
        job = database.retry(look, seconds=settings.lease_seconds)
        gc.freeze()  # all that was imported: each full collection would stop the training for 0.2 s to look at it
        return Trainer(job=job, settings=settings, db=db, stop=lambda: bool(asked)).run_guarded()
    except LeaseLost as error:
        log.warning("ended", job_id=job_id, attempt=attempt, reason=str(error))
        return exits.LEASE_LOST
    except DBAPIError as error:
        if not database.is_outage(error):
            raise
        log.warning("ended", job_id=job_id, attempt=attempt, reason=f"the database is away: {error.orig}")
        return exits.DATABASE_AWAY
    finally:
        queue.close()
        db.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
