"""Errors about checkpoints. Importable without torch."""


class CorruptCheckpoint(Exception):
    """The folder's content is missing or has changed since it was written."""


class NonFinite(ValueError):
    """The snapshot holds NaN or infinity, which is never saved."""
