"""Ids: a prefix, the time in milliseconds and 80 random bits in Crockford's base 32, so that they sort by time."""

import re
import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PATTERN = r"[0-9a-hjkmnp-tv-z]{26}"


class _Clock:
    """Gives numbers that rise within a process, also within one millisecond and when the clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
        with self._lock:
            self._last = max(number, self._last + 1)
            return self._last


_clock = _Clock()


def new(prefix: str) -> str:
    number = _clock.next()
    return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_valid(text: str, *, prefix: str) -> bool:
    return re.fullmatch(f"{prefix}_{PATTERN}", text) is not None
