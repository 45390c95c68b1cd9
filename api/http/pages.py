"""Pages: lists are answered in parts."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from api.http import ids
from api.http.answers import Answer

T = TypeVar("T")
Shown = TypeVar("Shown", bound=BaseModel)

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many")]


class Page(Answer, Generic[T]):
    """A part of a list; `next` goes into `after` for the next part."""

    data: list[T]
    has_more: bool
    next: str | None


def after(prefix: str) -> Any:
    """Return the query parameter that continues a list, whose ids begin with the prefix."""
    return Query(pattern=ids.pattern(prefix), description="The `next` of the page before")


def page(kind: type[Shown], rows: Sequence[Any], *, more: bool) -> Page[Shown]:
    """Return one part of a list of rows. `more`: whether the list goes on after them."""
    return Page(
        data=[kind.model_validate(row) for row in rows],
        has_more=more,
        next=str(rows[-1].id) if more else None,
    )


def whole(answers: list[Shown]) -> Page[Shown]:
    """Return a list that is short enough to be answered at once."""
    return Page(data=answers, has_more=False, next=None)
