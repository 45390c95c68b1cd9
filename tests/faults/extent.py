"""The extent of the suite: small counts with the other tests, or the full ones of the reliability promises."""

import os

FULL = os.environ.get("FAULTS") == "full"
SETUPS = ("SQLite", "PostgreSQL")
"""The service's databases, each beside Redis."""
