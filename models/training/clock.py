"""The clock of a run."""

import time

from models.runtime import parallel


class Clock:
    """Measures the seconds of training over all attempts, and the speed of the steps alone.

    All processes of a group use the seconds of the first one.
    """

    def __init__(self, seconds_before: float, *, group: parallel.Group) -> None:
        self._group = group
        self._start = time.monotonic() - seconds_before
        self._lap = (self._start, 0)
        self.evaluating = 0.0
        """Seconds that evaluations took, in this attempt."""

    def seconds(self) -> float:
        return self._group.agree(time.monotonic() - self._start)

    def start_lap(self, images_seen: int) -> None:
        self._lap = (time.monotonic(), images_seen)

    def images_per_second(self, images_seen: int) -> float:
        """Return the speed since the lap started. Laps exclude the time of evaluations and checkpoints."""
        start, images_before = self._lap
        return (images_seen - images_before) / max(time.monotonic() - start, 1e-9)
