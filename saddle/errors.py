"""Errors of the client, each with a text that can be shown to a user."""

from dataclasses import dataclass


class SaddleError(Exception):
    """The base of the client's errors."""


class Unreachable(SaddleError):
    """No answer: nothing listens at the address, or the connection was cut."""


class UnexpectedAnswer(SaddleError):
    """An answer that is not Saddle's: another program listens at the address."""


class InvalidRequest(SaddleError):
    """The request cannot be sent: an id that is no path segment, a number that is not finite."""


@dataclass(frozen=True)
class FieldError:
    """One field that was refused. `pointer` is a JSON pointer into the body that was sent."""

    pointer: str
    detail: str


class ApiError(SaddleError):
    """The API refused a request (RFC 9457 problem details)."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(status, title, detail, errors)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        """The wait before the next try, if the server named one."""

    def __str__(self) -> str:
        head = f"{self.status} {self.title}"
        if self.errors:  # the detail sums them up
            return "\n".join([head, *(f"  {error.pointer or '/'}: {error.detail}" for error in self.errors)])
        return f"{head}: {self.detail}" if self.detail and self.detail != self.title else head
