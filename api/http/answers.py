"""JSON answers: the base of their schemas, which are made from the store's rows."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Answer(BaseModel):
    """A JSON answer. `model_validate(row)` takes each field from the row's attribute of the same name."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)


def _instant(at: Any) -> Any:
    """Convert the seconds since the epoch that a row holds."""
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else at


Instant = Annotated[datetime, BeforeValidator(_instant)]
