"""The state of the installation in one line: workers, queue and what is missing."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from redis import RedisError
from sqlalchemy.orm import Session

from api.services import Services
from store import jobs, states, workers


@dataclass(frozen=True)
class Installation:
    """The state of the installation. `devices`: the number of living workers by device."""

    devices: dict[str, int]
    running: int
    queued: int
    redis: bool

    @classmethod
    def of(cls, services: Services, session: Session) -> Self:
        living = workers.living(session, within_seconds=services.settings.lease_seconds)
        numbers = jobs.counts(session)
        return cls(
            devices=dict(Counter(worker.device for worker in living)),
            running=sum(numbers[status] for status in states.HELD),
            queued=numbers[states.QUEUED],
            redis=_answers(services),
        )

    @property
    def workers(self) -> int:
        return sum(self.devices.values())

    @property
    def problem(self) -> str | None:
        """Return the problem that keeps jobs from running, or None."""
        if not self.workers:
            return "No worker was seen lately: queued jobs wait until one starts."
        if not self.redis:
            return "Redis is away: jobs start and pages update late."
        return None


def _answers(services: Services) -> bool:
    try:
        services.queue.ping()
    except (RedisError, OSError):
        return False
    return True
