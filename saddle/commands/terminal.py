"""Shared by all commands: a client of the service, and ways to print its answers."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

import typer
from rich.console import Console

from saddle import settings
from saddle.client import Client
from saddle.errors import ApiError
from saddle.schemas import Schema

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, job_…")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON, for scripts.")]


@contextmanager
def service() -> Iterator[Client]:
    """Open a client of the service that the environment names."""
    chosen = settings.read()
    with Client(chosen.url, chosen.key()) as client:
        yield client


def titles(client: Client) -> dict[str, str]:
    """Return the figures' titles by name; none if the service is older than its list of figures."""
    try:
        return {figure.name: figure.title for figure in client.figures()}
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {}


def console() -> Console:
    """Return a console. Without a terminal it is wide, so that scripts find whole lines."""
    made = Console()
    return made if made.is_terminal else Console(width=400)


def print_json(answer: Schema) -> None:
    print(json.dumps(answer.model_dump(mode="json"), indent=2))


def print_json_list(answers: Iterable[Schema]) -> None:
    print(json.dumps([answer.model_dump(mode="json") for answer in answers], indent=2))


def complain(text: str) -> None:
    print(text, file=sys.stderr)
