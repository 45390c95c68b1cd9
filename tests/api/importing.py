"""Imported datasets for the API's tests: the worker's part is done at once, by its own code."""

from api.services import Services
from models.specs.imports import ImportOptions
from store import datasets, ids, keys, runs
from tests.api.conftest import LEASE_SECONDS
from tests.pictures import cats_and_dogs
from worker.attempt import Attempt
from worker.kinds import dataset_import


def do_import(services: Services, dataset_id: str, *, tenant: str = keys.DEFAULT_TENANT) -> None:
    """Import a dataset that was accepted."""
    with services.database.write() as session:
        job_id = datasets.get(session, dataset_id=dataset_id, tenant=tenant).job_id
        job = runs.claim(session, job_id=job_id, owner="test", lease_seconds=LEASE_SECONDS)
    assert job is not None
    dataset_import.run(
        Attempt(
            job=job,
            settings=services.settings,
            db=services.database,
            artifacts=services.artifacts,
            stop=lambda: False,
        )
    )


def import_pets(services: Services, *, number: int = 20, name: str = "pets", resolution: int = 28) -> str:
    """Import small pictures of two classes; return the dataset's id."""
    dataset_id = ids.new("ds")
    upload = f"datasets/{dataset_id}/upload"
    with services.artifacts.put(upload, min_free_bytes=0) as place:
        path = cats_and_dogs(place / dataset_import.UPLOAD, number=number)
        size = path.stat().st_size
    new = datasets.NewDataset(
        id=dataset_id,
        tenant=keys.DEFAULT_TENANT,
        name=name,
        file_name="pets.zip",
        upload=upload,
        upload_bytes=size,
        options=ImportOptions(resolution=resolution).model_dump(mode="json"),
        form="zip",
        entries=number,
        resolution=resolution,
    )
    with services.database.write() as session:
        datasets.create(session, new=new)
    do_import(services, dataset_id)
    return dataset_id
