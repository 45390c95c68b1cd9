"""What can be wrong with a checkpoint. Importable without torch."""


class CorruptCheckpoint(Exception):
    """The folder does not hold what was once written there."""


class NonFinite(ValueError):
    """The snapshot holds NaN or infinity, which is never saved."""
