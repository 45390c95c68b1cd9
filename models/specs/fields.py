"""The base class of specs and the bounded types of their fields. Needs pydantic only.

A spec is data. It is frozen and complete: no field means "auto" except `precision`. Every number is bounded and finite.
Unknown fields are refused.
"""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _printable(text: str) -> str:
    """Refuse control, format (such as bidirectional overrides), surrogate, private and unassigned characters."""
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            raise ValueError(f"must not contain the control character U+{ord(character):04X}")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Name = Annotated[Text, Field(min_length=1, max_length=100)]
Width = Annotated[int, Field(ge=1, le=8192)]
Channels = Annotated[int, Field(ge=4, le=1024)]
Latents = Annotated[int, Field(ge=1, le=4096)]
Rate = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Images = Annotated[int, Field(ge=1, le=10**12)]
Weight = Annotated[float, Field(gt=0, le=10_000)]
Steps = Annotated[int, Field(ge=1, le=1024)]
