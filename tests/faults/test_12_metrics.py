"""Promise 12: a viewer sees every event once and in order, though Redis or the viewer's own connection dies."""

import random
import threading

import pytest

from tests.faults.jobs import ENDLESS
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.promise(12, "Metrics without gaps")
EVENTS_A_ROUND = 10


class Viewer:
    """Follows a job from its first event in a thread, with the client that users have."""

    def __init__(self, stack, job_id, *, port=None):
        self.events = []
        self.error = None
        self._stack, self._job_id, self._port = stack, job_id, port
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @property
    def newest(self):
        return self.events[-1].id if self.events else 0

    def join(self):
        self._thread.join(60)
        assert not self._thread.is_alive(), "a viewer does not notice the job's end"

    def _follow(self):
        try:
            with self._stack.client(port=self._port) as client:
                for event in client.follow_events(self._job_id):
                    self.events.append(event)
        except Exception as error:  # noqa: BLE001 (told by the test)
            self.error = error


@pytest.mark.faults(small=1, full=20)
def test_viewers_see_every_event_once_though_redis_dies(stack, count, ledger, wait_for):
    with stack.client() as client, Proxy(stack.port) as proxy:
        job_id = client.create_job(ENDLESS).id
        viewers = [Viewer(stack, job_id), Viewer(stack, job_id, port=proxy.port)]

        def get_on():
            """Wait until the job has trained on and both viewers have seen it."""
            begun = stack.job(job_id).last_event_id
            aim = begun + EVENTS_A_ROUND
            wait_for(lambda: stack.job(job_id).last_event_id >= aim, what="training goes on")
            wait_for(lambda: all(viewer.newest >= aim for viewer in viewers), what=f"viewers at event {aim}")

        get_on()
        for number in range(count):
            if number % 4 == 3:
                stack.redis.freeze()
                ledger.fault("Redis frozen")
                get_on()
                stack.redis.thaw()
            stack.redis.kill()
            ledger.fault("Redis killed")
            if random.random() < 0.5:
                get_on()
            if proxy.cut():
                ledger.fault("viewer cut off")
            stack.redis.start()
            get_on()
        client.cancel_job(job_id)
        for viewer in viewers:
            viewer.join()
        stored = [(event.id, event.type, event.images_seen, event.data) for event in stack.events(job_id)]
        ledger.outcome("events", len(stored))
        ledger.expect([id_ for id_, *_ in stored] == list(range(1, len(stored) + 1)), "ids in the database have gaps")
        ledger.expect(stack.job(job_id).attempt == 1, "the training was interrupted")
        for viewer in viewers:
            seen = [(event.id, event.type, event.images_seen, event.data) for event in viewer.events]
            ledger.expect(viewer.error is None, f"a viewer gave up: {viewer.error!r}")
            ledger.expect(seen == stored, f"a viewer saw {_difference(seen, stored)}")


def _difference(seen, stored):
    ids, real = [id_ for id_, *_ in seen], [id_ for id_, *_ in stored]
    if ids == real:
        return "other content than is stored"
    missed = sorted(set(real) - set(ids))[:10]
    return f"{len(ids)} events of {len(real)}, {len(ids) - len(set(ids))} of them twice, without {missed}"
