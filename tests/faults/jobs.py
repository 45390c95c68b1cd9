"""Jobs for fault tests: small networks on the bundled digits, which train within a process's start."""

from tests import tiny

TINY = tiny.SPEC
QUICK = TINY | {
    "budget": {"images": 320},
    "checkpoint": {"every_images": 320},
    "metrics": {"every_images": 160},
}
"""A job that ends a moment after it has begun."""
ENDLESS = TINY | {
    "budget": {"images": 10**9},
    "checkpoint": {"every_images": 64_000},
    "metrics": {"every_images": 640},
}
"""A job that runs until it is cancelled, with several ticks a second."""
