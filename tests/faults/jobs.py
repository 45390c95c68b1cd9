"""Jobs to be hurt: small networks on the bundled digits, which train within a process's start."""

from tests import tiny

TINY = tiny.SPEC
QUICK = TINY | {
    "budget": {"images": 320},
    "checkpoint": {"every_images": 320},
    "metrics": {"every_images": 160},
}
"""Ends a moment after it has begun."""
ENDLESS = TINY | {
    "budget": {"images": 10**9},
    "checkpoint": {"every_images": 64_000},
    "metrics": {"every_images": 640},
}
"""Runs until it is cancelled, with several ticks a second."""
