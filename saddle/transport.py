"""Sends requests with the key, repeats those that are safe to repeat, and raises the client's errors."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from saddle.errors import ApiError, FieldError, InvalidRequest, UnexpectedAnswer, Unreachable

TRIES = 4
LONGEST_WAIT_SECONDS = 5.0
TIMEOUT = httpx.Timeout(60, connect=10)
"""The read timeout also bounds the silence of an event stream, whose heartbeats come far more often."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Parameter = str | int | float | bool | None
Parameters = Mapping[str, Parameter]
ModelT = TypeVar("ModelT", bound=BaseModel)


class Transport:
    """The address, key and connections of one service."""

    def __init__(self, url: str, api_key: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = url
        self.sleep = sleep
        if not (api_key.isascii() and api_key.isprintable()):
            raise InvalidRequest("the API key holds characters that no key has")
        headers = {"User-Agent": "saddle-client"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        try:
            # A proxy from the environment cannot reach this machine's own loopback.
            trust_env = httpx.URL(url).host not in LOOPBACK
            self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, trust_env=trust_env)
        except httpx.InvalidURL as error:
            raise InvalidRequest(f"{url!r} is no address: {error}") from error

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Parameters | None = None,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, IO[bytes]]] | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool,
        timeout_seconds: float | None = None,
        also_answers: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        """Send a request and return its answer, with the body read. `timeout_seconds`: how long it may be silent.

        The body is JSON, or a form with files, which are sent from their beginning.

        `repeat` says that sending the request twice has the effect of sending it once. It is then sent again after a
        cut, and after 429, 503 and (for a POST whose first sending is still being worked on) 409 with Retry-After.

        Raises ApiError for any status but success and `also_answers`, Unreachable if no answer came and InvalidRequest
        if the body or a header cannot be sent.
        """
        try:
            request = self._http.build_request(
                method,
                path,
                params=_given(params),
                json=body,
                data=form,
                files=files,
                headers=headers,
                timeout=TIMEOUT if timeout_seconds is None else httpx.Timeout(timeout_seconds, connect=10),
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidRequest(f"this cannot be sent: {error}") from error
        tries_left = TRIES if repeat else 1
        while True:
            tries_left -= 1
            wait = 0.5 * 2 ** (TRIES - tries_left - 1)
            try:
                response = self._http.send(request)
            except httpx.ConnectError as error:
                raise self._unreachable(error) from error
            except httpx.RequestError as error:
                if not tries_left:
                    raise self._unreachable(error) from error
            else:
                if response.is_success or response.status_code in also_answers:
                    return response
                problem = api_error(response)
                if not tries_left or not _passes(problem, method=method):
                    raise problem
                wait = problem.retry_after_seconds or wait
            self.sleep(min(wait, LONGEST_WAIT_SECONDS))

    @contextmanager
    def stream(
        self, path: str, *, params: Parameters | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Send a GET and yield its answer, with the body still to be read.

        Raises like `send`; reading may raise httpx.RequestError.
        """
        request = self._http.build_request("GET", path, params=_given(params), headers=headers)
        try:
            response = self._http.send(request, stream=True)
            if not response.is_success:
                response.read()
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        try:
            if not response.is_success:
                raise api_error(response)
            yield response
        finally:
            response.close()

    def parse(self, model: type[ModelT], response: httpx.Response) -> ModelT:
        """Parse the response's JSON. Raises UnexpectedAnswer if it is not what the model describes."""
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise self._unexpected(model, response, error) from error

    def build(self, model: type[ModelT], response: httpx.Response, values: Mapping[str, Any]) -> ModelT:
        """Build a model from the values of a response that is not JSON. Raises like `parse`."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            raise self._unexpected(model, response, error) from error

    def _unexpected(self, model: type[BaseModel], response: httpx.Response, error: ValidationError) -> UnexpectedAnswer:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "body"
        return UnexpectedAnswer(
            f"{self.url} answered {response.request.method} {response.request.url.path} with something else than "
            f"Saddle's {model.__name__} ({place}: {first['msg']}): is this the address of Saddle?"
        )

    def _unreachable(self, error: httpx.RequestError) -> Unreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(
                f"nothing answers at {self.url} ({error}). Start the service with `make serve`, "
                "or set SADDLE_URL to where it runs."
            )
        return Unreachable(f"{self.url} did not answer: {error or type(error).__name__}")


def _given(params: Parameters | None) -> dict[str, Parameter]:
    """Return the parameters without those that are None, which the server chooses."""
    return {name: value for name, value in (params or {}).items() if value is not None}


def _passes(problem: ApiError, *, method: str) -> bool:
    """Return whether a refusal may pass with time."""
    being_created = method == "POST" and problem.status == 409 and problem.retry_after_seconds is not None
    return problem.status in {429, 503} or being_created


def api_error(response: httpx.Response) -> ApiError:
    """Return the refusal in a response whose body was read. A proxy's HTML is quoted in part."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": response.text[:200]}
    listed = problem.get("errors")
    errors = [error for error in (listed if isinstance(listed, list) else []) if isinstance(error, dict)]
    return ApiError(
        response.status_code,
        str(problem.get("title") or response.reason_phrase or "Error"),
        str(problem.get("detail") or ""),
        tuple(FieldError(str(error.get("pointer", "")), str(error.get("detail", ""))) for error in errors),
        retry_after_seconds=_seconds(response.headers.get("Retry-After", "")),
    )


def _seconds(text: str) -> float | None:
    """Return the seconds of a Retry-After header. Saddle never sends its other form, a date."""
    return float(text) if text.isascii() and text.isdigit() else None
