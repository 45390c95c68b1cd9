"""What can go wrong in the store, in the caller's terms."""


class StoreError(Exception):
    """The root of the store's errors; its text is fit for a client to read."""


class NotFound(StoreError):
    """No such thing, or it belongs to somebody else: the caller cannot tell which."""


class Conflict(StoreError):
    """The state does not allow the transition."""


class IdempotencyMismatch(StoreError):
    """The idempotency key was used before with another request."""


class LeaseLost(StoreError):
    """Another attempt owns the job: the caller's writes change nothing any more and it must stop."""


class DatabaseAway(LeaseLost):
    """The lease could not be renewed: another attempt may own the job, or nobody."""


class StorageFull(StoreError):
    """Not enough free space for the artifact; nothing was written."""
