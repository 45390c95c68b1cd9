"""Errors of an import: about the whole file, or about one picture in it."""

from typing import Literal

AGAIN = "make the file anew and upload it again"
Code = Literal["too_large", "unsupported", "invalid"]


class SourceRefused(Exception):
    """The uploaded file as a whole is refused. The message says what to do."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class PictureRefused(Exception):
    """One picture is refused; the others are not concerned. The message is the reason."""
