from collections.abc import Iterator

import pytest

from store.database import Database, Outbox


class Delivered:
    """The outboxes that were delivered, in order."""

    def __init__(self) -> None:
        self.outboxes: list[Outbox] = []

    def __call__(self, outbox: Outbox) -> None:
        self.outboxes.append(outbox)

    @property
    def hints(self) -> list[str]:
        return [hint for outbox in self.outboxes for hint in outbox.hints]

    @property
    def events(self) -> list[tuple[int, str]]:
        return [(event.id, event.type) for outbox in self.outboxes for event in outbox.events]


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


@pytest.fixture
def db(database_url: str, delivered: Delivered) -> Iterator[Database]:
    database = Database(database_url, deliver=delivered)
    yield database
    database.close()
