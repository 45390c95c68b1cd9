"""Errors about a dataset's files."""


class DatasetError(Exception):
    """A dataset cannot be loaded. The message says what to do."""


class DatasetMissing(DatasetError):
    """The files are not there."""


class DatasetCorrupt(DatasetError):
    """The files exist, but their content is not the published one."""
