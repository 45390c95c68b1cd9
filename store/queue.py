"""The broker: hints that a job waits, and live events. Both may be lost: the database has the truth."""

import time

import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from redis import Redis, RedisError

from store import live
from store.database import Outbox

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
        self._celery = Celery("saddle", broker=redis_url, set_as_current=False)
        self._celery.conf.update(CELERY_CONFIG)
        self._celery.conf.broker_transport_options = {
            "socket_connect_timeout": TIMEOUT_SECONDS,
            "socket_timeout": TIMEOUT_SECONDS,
        }
        self._rests_until = 0.0

    def deliver(self, outbox: Outbox) -> None:
        """Send an outbox if the broker answers. A broker that is away is logged."""
        if not (outbox.hints or outbox.events) or time.monotonic() < self._rests_until:
            return
        try:
            if outbox.events:
                live.publish(self.redis, outbox.events)
            for job_id in outbox.hints:
                self.hint(job_id)
        except (RedisError, BrokerError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("broker away: viewers and workers will find out from the database", error=str(error))

    def hint(self, job_id: str) -> None:
        """Tell the workers that a job waits. Raises RedisError, kombu's OperationalError or OSError."""
        self._celery.send_task(RUN, args=[job_id], queue=QUEUE, retry=False)

    def depth(self) -> int:
        """Return the number of hints that no worker has taken yet. Raises RedisError."""
        return int(self.redis.llen(QUEUE))

    def ping(self) -> None:
        """Ask for an answer. Raises RedisError."""
        self.redis.ping()

    def close(self) -> None:
        self._celery.close()
        self.redis.close()
