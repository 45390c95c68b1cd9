"""Uploads: a multipart form with one file, written to an artifact while it arrives."""

import hashlib
import os
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from anyio import to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.http.errors import Problem, invalid
from store.artifacts import Artifacts

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE = "file"
"""The name of the form's field, and of the file within its artifact."""
LONGEST_FIELD = 64 * 1024
LONGEST_NAME = 255
ROOM_FOR_FIELDS = 2**20
TOUCH_SECONDS = 10.0


@dataclass(frozen=True)
class Upload:
    """A form that has arrived whole."""

    key: str
    """The artifact that holds the file."""
    file_name: str
    size_bytes: int
    fields: dict[str, str]
    fingerprint: str
    """A digest of the request by which a reused idempotency key is detected."""


async def receive(request: Request, artifacts: Artifacts, *, key: str, limit: int, min_free_bytes: int) -> Upload:
    """Receive a form whose file becomes an artifact. After an error nothing of it is left.

    Raises Problem: 415 for another media type, 400 for a form that is cut off or malformed, 413 beyond the limit, 422
    without a file or with an unknown field; StorageFull.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the file as multipart/form-data")
    if int(request.headers.get("content-length", 0)) > limit + ROOM_FOR_FIELDS:
        raise _too_large(limit)  # before it is sent
    storing = artifacts.put(key, min_free_bytes=min_free_bytes)
    folder = await to_thread.run_sync(storing.__enter__)
    try:
        with (folder / FILE).open("wb", buffering=2**20) as file:
            form = _Form(file, limit=limit)
            await _parse(request, form, boundary, folder)
    except BaseException as error:
        await to_thread.run_sync(storing.__exit__, type(error), error, error.__traceback__)
        raise
    await to_thread.run_sync(storing.__exit__, None, None, None)
    return form.upload(key, request)


async def _parse(request: Request, form: "_Form", boundary: bytes, folder: Path) -> None:
    try:
        parser = MultipartParser(boundary, form.callbacks())
        touched = time.monotonic()
        async for chunk in request.stream():
            parser.write(chunk)
            if time.monotonic() - touched > TOUCH_SECONDS:
                touched = time.monotonic()
                os.utime(folder)  # else it would be taken for one that was left behind
        parser.finalize()
    except FormParserError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the form is malformed or cut off: {error}") from error
    form.check()


class _Form:
    """Takes a form apart: the file goes to disk, the other fields stay in memory."""

    def __init__(self, file: BinaryIO, *, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._header = bytearray(), bytearray()
        self._part: str | None = None
        self._is_file = False
        self._ended = False
        self._digest = hashlib.sha256()
        self._size = 0
        self._fields: dict[str, bytearray] = {}
        self._file_name: str | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part,
            "on_header_begin": self._on_header,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def check(self) -> None:
        """Raise Problem if the form is not whole, or has no file."""
        if not self._ended:
            raise Problem(HTTPStatus.BAD_REQUEST, "the form is cut off")
        if self._file_name is None:
            raise invalid(f"/{FILE}", "the form has no file")

    def upload(self, key: str, request: Request) -> Upload:
        fields = {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}
        digest = hashlib.sha256(f"{request.method} {request.url.path}\n{sorted(fields.items())}\n".encode())
        digest.update(self._digest.digest())
        name = (self._file_name or "").replace("\\", "/").rpartition("/")[2]
        plain = "".join(character for character in name if character.isprintable())[-LONGEST_NAME:]
        return Upload(key, plain or FILE, self._size, fields, digest.hexdigest())

    def _on_part(self) -> None:
        self._part, self._is_file = None, False

    def _on_header(self) -> None:
        self._header = bytearray(), bytearray()

    def _on_header_end(self) -> None:
        if self._header[0].lower() != b"content-disposition":
            return
        _, options = parse_options_header(bytes(self._header[1]))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._part == FILE
        if self._is_file:
            self._file_name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _on_headers(self) -> None:
        if self._part is None:
            raise Problem(HTTPStatus.BAD_REQUEST, "a part of the form has no name")
        if self._part in self._fields or (self._is_file and self._size):
            raise invalid(f"/{self._part}", "is given twice")
        if not self._is_file:
            self._fields[self._part] = bytearray()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if not self._is_file:
            assert self._part is not None
            field = self._fields[self._part]
            field.extend(piece)
            if len(field) > LONGEST_FIELD or len(self._fields) > 16:
                raise invalid(f"/{self._part}", f"is longer than {LONGEST_FIELD} bytes")
            return
        self._size += len(piece)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._digest.update(piece)
        self._file.write(piece)

    def _on_end(self) -> None:
        self._ended = True


def _too_large(limit: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the file is larger than {limit:,} bytes")
