"""Places: the device and the dataset's folder that a kind of job works with."""

from pathlib import Path

import torch

from models.data.errors import DatasetMissing
from models.specs import Dataset
from store import datasets
from worker.attempt import Attempt


def device(wish: str) -> torch.device:
    """Return the device that the setting names; auto: a GPU if there is one."""
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wish)


def dataset_folder(attempt: Attempt, dataset: Dataset) -> Path:
    """Return the folder of a dataset's files. Raises DatasetMissing."""
    if dataset.kind == "builtin":
        return attempt.settings.datasets_dir
    row = attempt.read(lambda session: datasets.usable(session, dataset_id=dataset.id, tenant=attempt.job.tenant))
    if row is None or row.path is None:
        raise DatasetMissing(f"dataset {dataset.id} ({dataset.name}) has been deleted")
    return attempt.artifacts.local_copy(row.path)
