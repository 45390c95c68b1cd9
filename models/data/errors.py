"""What can be wrong with a dataset's files."""


class DatasetError(Exception):
    """A dataset cannot be loaded; the message says what to do."""


class DatasetMissing(DatasetError):
    """The files are not there."""


class DatasetCorrupt(DatasetError):
    """The files are there, but they are not the published ones."""
