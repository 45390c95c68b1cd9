"""Errors of feature extractors."""


class ExtractorMissing(Exception):
    """An optional extractor is not installed. The message says what to do."""
