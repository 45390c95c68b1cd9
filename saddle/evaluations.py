"""Evaluations of a service: measure checkpoints, and compare jobs by their figures."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from saddle.errors import InvalidRequest
from saddle.schemas import ENDED, Comparison, Evaluation, Page
from saddle.transport import Transport

LARGEST_PAGE = 100
POLL_SECONDS = 1.0


class Evaluations:
    """The evaluations of one service. Methods raise errors.SaddleError for faults outside the program."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        job: str | None = None,
        checkpoint: str | None = None,
        metrics: Sequence[str] = (),
        protocol: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Evaluation:
        """Ask for the figures of a checkpoint, or of a job's best one. Without metrics, the usual ones are measured.

        `protocol` may hold extractor, samples, seed and reference. The idempotency key works as in `Client.create_job`.
        """
        body: dict[str, Any] = {"metrics": list(metrics), "protocol": dict(protocol or {})}
        body |= {key: value for key, value in (("job", job), ("checkpoint", checkpoint)) if value is not None}
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        response = self._transport.send("POST", "/v1/evaluations", body=body, headers=headers, repeat=True)
        return self._transport.parse(Evaluation, response)

    def get(self, evaluation_id: str) -> Evaluation:
        response = self._transport.send("GET", _path(evaluation_id), repeat=True)
        return self._transport.parse(Evaluation, response)

    def nearest_png(self, evaluation_id: str) -> bytes:
        """Draw the samples that are nearest to training images, each above its image. Memorisation must be measured."""
        path, headers = _path(evaluation_id) + "/nearest.png", {"Accept": "image/png"}
        content: bytes = self._transport.send("GET", path, headers=headers, repeat=True).content
        return content

    def list(self, *, job: str | None = None) -> Iterator[Evaluation]:
        """Yield the evaluations, newest first; with `job`, those of its checkpoints."""
        after = None
        while True:
            params = {"limit": LARGEST_PAGE, "after": after, "job": job}
            response = self._transport.send("GET", "/v1/evaluations", params=params, repeat=True)
            page = self._transport.parse(Page[Evaluation], response)
            yield from page.data
            after = page.next
            if not page.has_more or after is None:
                return

    def wait(self, evaluation_id: str, *, seen: Callable[[Evaluation], None]) -> Evaluation:
        """Wait until an evaluation has ended. `seen` is called with each reading, about once a second."""
        while True:
            found = self.get(evaluation_id)
            seen(found)
            if found.status in ENDED:
                return found
            self._transport.sleep(POLL_SECONDS)

    def compare(self, jobs: Sequence[str]) -> Comparison:
        """Compare jobs: their differing settings, and their figures under the protocol that most of them share."""
        response = self._transport.send("GET", "/v1/comparisons", params={"jobs": ",".join(jobs)}, repeat=True)
        return self._transport.parse(Comparison, response)


def _path(evaluation_id: str) -> str:
    """Return an evaluation's address. Raises InvalidRequest."""
    if evaluation_id in {"", ".", ".."}:
        raise InvalidRequest(f"{evaluation_id!r} is no id")
    return f"/v1/evaluations/{quote(evaluation_id, safe='')}"
