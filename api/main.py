"""`python -m api.main`: the composition root of the API process."""

import resource

import structlog
import torch
import uvicorn

from api.app import create_app
from api.services import Services
from api.serving.sampler import TorchSampler
from store import disk, keys, logs
from store.artifacts import LocalArtifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings

log = structlog.get_logger()
GRACE_SECONDS = 5


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logs.configure()
    settings = Settings.read()
    # One thread: more gain nothing for small networks, and the bytes must not depend on the machine's cores.
    torch.set_num_threads(1)
    _allow_many_viewers()
    queue = Queue(settings.redis)
    queue.load()
    database = Database(settings.database, deliver=queue.deliver)
    if settings.auth == "keys":
        _ensure_admin_key(database, settings)
    services = Services(
        settings=settings,
        database=database,
        queue=queue,
        artifacts=LocalArtifacts(settings.artifacts_dir),
        sampler=TorchSampler(device=torch.device("cpu")),
    )
    uvicorn.run(
        create_app(services),
        host=settings.host,
        port=settings.port,
        access_log=False,  # api.http.middleware logs requests, without their query strings
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    queue.close()
    database.close()


def _allow_many_viewers() -> None:
    # Every viewer is an open file, and the usual limit of 1,024 is for programs that call select().
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _ensure_admin_key(database: Database, settings: Settings) -> None:
    """Make an admin key at the first start, and write it to the data folder, readable by its owner only."""
    with database.write() as session:
        if keys.living_admins(session):
            return
        _, secret = keys.create(session, tenant=keys.DEFAULT_TENANT, name="first admin", role="admin")
        disk.write_private(settings.api_key_file, secret + "\n")
    log.info("admin key written", file=str(settings.api_key_file))


if __name__ == "__main__":
    main()
