"""The broker: hints that a job waits, and live events. Both may be lost: the database has the truth."""

import time
from functools import cached_property
from typing import TYPE_CHECKING

import structlog
from redis import Redis, RedisError

from store import live
from store.database import Outbox

if TYPE_CHECKING:
    from celery import Celery

log = structlog.get_logger()

QUEUE = "saddle"
RUN = "saddle.run"
TRAIN = "saddle.train"
"""The name of hints from release 0.1, which may wait in the broker during an upgrade."""
TIMEOUT_SECONDS = 1.0
REST_SECONDS = 2.0

CELERY_CONFIG = {
    "task_default_queue": QUEUE,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    # A duplicate is worse than a lost hint: the reconciler repeats hints, and nobody takes a duplicate back.
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_send_task_events": False,
}


class Queue:
    """Sends the outbox of a committed unit of work. After a failure it rests, so that no caller waits for a timeout."""

    def __init__(self, redis_url: str) -> None:
        self.redis = Redis.from_url(
            redis_url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS, health_check_interval=30
        )
        self._url = redis_url
        self._rests_until = 0.0

    @cached_property
    def _celery(self) -> "Celery":
        # Imported here, because a runner sends no hints and should start soon.
        from celery import Celery  # noqa: PLC0415

        app = Celery("saddle", broker=self._url, set_as_current=False)
        app.conf.update(CELERY_CONFIG)
        app.conf.broker_transport_options = {
            "socket_connect_timeout": TIMEOUT_SECONDS,
            "socket_timeout": TIMEOUT_SECONDS,
        }
        return app

    def load(self) -> None:
        """Load Celery now, so that the first hint does not wait for it."""
        _ = self._celery

    def deliver(self, outbox: Outbox) -> None:
        """Send an outbox if the broker answers. A broker that is away is logged."""
        if not (outbox.hints or outbox.events) or time.monotonic() < self._rests_until:
            return
        try:
            if outbox.events:
                live.publish(self.redis, outbox.events)
            for job_id in outbox.hints:
                self.hint(job_id)
        except (RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("broker away: viewers and workers will find out from the database", error=str(error))

    def hint(self, job_id: str) -> None:
        """Tell the workers that a job waits. Raises RedisError or OSError."""
        from kombu.exceptions import OperationalError  # noqa: PLC0415  # as above

        try:
            self._celery.send_task(RUN, args=[job_id], queue=QUEUE, retry=False)
        except OperationalError as error:
            raise ConnectionError(str(error)) from error

    def depth(self) -> int:
        """Return the number of hints that no worker has taken yet. Raises RedisError."""
        return int(self.redis.llen(QUEUE))

    def ping(self) -> None:
        """Ask for an answer. Raises RedisError."""
        self.redis.ping()

    def close(self) -> None:
        if "_celery" in self.__dict__:
            self._celery.close()
        self.redis.close()
