"""Exit statuses by which a trainer tells its supervisor how it ended."""

DONE = 0
"""The job's row says how: succeeded, diverged or failed."""
STOPPED = 75
"""Asked to stop; a checkpoint stands at the place where it stopped."""
LEASE_LOST = 76
"""Another attempt owns the job."""
DATABASE_AWAY = 77
"""The database was away for as long as the lease: nothing could be written down."""
