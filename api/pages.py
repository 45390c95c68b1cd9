"""Lists come in pages: the parameters that all of them take."""

from typing import Annotated

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many")]
