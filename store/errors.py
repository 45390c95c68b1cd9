"""Errors of the store, in the caller's terms."""


class StoreError(Exception):
    """The base of the store's errors. A client may read its text."""


class NotFound(StoreError):
    """There is no such thing, or it is another tenant's: the caller cannot tell which."""


class Conflict(StoreError):
    """The state does not allow this."""


class IdempotencyMismatch(StoreError):
    """The idempotency key was used before with another request."""


class LeaseLost(StoreError):
    """Another attempt owns the job. The caller's writes change nothing, and it must stop."""


class DatabaseAway(LeaseLost):
    """The lease could not be renewed: another attempt may own the job."""


class StorageFull(StoreError):
    """There is not enough free space for the artifact. Nothing was written."""
