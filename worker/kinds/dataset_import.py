"""Dataset import: decodes an uploaded file and stores its images, holdout and report."""

import os
import time
from contextlib import closing
from pathlib import Path

from models.data.importers import importing
from models.data.importers.crew import CrewFailed
from models.data.importers.errors import SourceRefused
from models.data.importers.importing import Imported, Progress
from models.data.importers.limits import Limits
from models.specs import DatasetFacts
from models.specs.imports import ImportOptions
from store import datasets, states
from store.datasets import Content
from store.payloads import Reason
from worker.attempt import Attempt

TICK_SECONDS = 1.0
MOST_PROCESSES = 16
FEATURES = "imagenet"
"""The extractor of any pictures."""
UPLOAD = "file"
"""The name of the uploaded file within its artifact."""


def run(attempt: Attempt) -> None:
    """Import the file, from the start. One that cannot be imported fails the job.

    Raises Stopped, LeaseLost, StorageFull, FileNotFoundError.
    """
    spec = attempt.job.spec
    options = ImportOptions.model_validate(spec["options"])
    dataset = attempt.read(lambda session: datasets.of_job(session, job_id=attempt.job.id))
    assert dataset.upload is not None
    upload = attempt.artifacts.local_copy(dataset.upload) / UPLOAD
    key = f"datasets/{dataset.id}/images-{attempt.job.attempt}"

    def fill(folder: Path) -> Imported:
        clock = _Clock(attempt, folder)
        running = importing.run(
            upload,
            form=spec["form"],
            options=options,
            resolution=spec["resolution"],
            folder=folder,
            processes=min(MOST_PROCESSES, len(os.sched_getaffinity(0))),
            limits=Limits(),
        )
        with closing(running):
            for each in running:
                if isinstance(each, Progress):
                    clock.note(each)
                else:
                    made = each
        return made

    try:
        imported = attempt.put(key, fill)
    except (SourceRefused, CrewFailed) as error:
        attempt.finish(states.FAILED, Reason("refused", str(error)))
        return
    content = Content(
        path=key,
        size_bytes=sum(file.stat().st_size for file in attempt.artifacts.local_copy(key).iterdir()),
        digest=imported.manifest.digest,
        facts=_facts(imported, options).model_dump(mode="json"),
        class_names=list(imported.manifest.classes),
    )
    total = imported.manifest.images + imported.manifest.holdout_images
    refused = f", {imported.report.refused:,} files were refused" if imported.report.refused else ""
    reason = Reason("completed", f"{total:,} images were imported{refused}")
    done = attempt.end(
        lambda session: datasets.complete(
            session, job_id=attempt.job.id, attempt=attempt.job.attempt, content=content, reason=reason
        )
    )
    attempt.artifacts.delete(dataset.upload if done.path == key else key)


def _facts(imported: Imported, options: ImportOptions) -> DatasetFacts:
    manifest = imported.manifest
    return DatasetFacts(
        resolution=manifest.resolution,
        channels=manifest.channels,
        images=manifest.images,
        holdout_images=manifest.holdout_images,
        classes=len(manifest.classes),
        flips_natural=options.flips_natural,
        features=FEATURES,
    )


class _Clock:
    """Records the progress about once a second, and stops the import when the runner is asked to."""

    def __init__(self, attempt: Attempt, folder: Path) -> None:
        self._attempt = attempt
        self._folder = folder
        self._began = self._told_at = time.monotonic()

    def note(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at < TICK_SECONDS:
            return
        self._told_at = now
        os.utime(self._folder)  # else it would be taken for one that was left behind
        self._attempt.raise_if_stopped()
        seconds = now - self._began
        values = {"images_per_second": progress.entries / seconds, "refused": float(progress.refused)}
        self._attempt.tick(images_seen=progress.entries, seconds_trained=seconds, values=values)
