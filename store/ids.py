"""Ids: a prefix, the time in milliseconds and 80 random bits in Crockford's base 32, so that they sort by time."""

import re
import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PATTERN = r"[0-9a-hjkmnp-tv-z]{26}"


def new(prefix: str) -> str:
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_valid(text: str, *, prefix: str) -> bool:
    return re.fullmatch(f"{prefix}_{PATTERN}", text) is not None
