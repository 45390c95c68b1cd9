"""Which data a run learns from."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.specs import catalog
from models.specs.fields import Spec

BuiltinName = Literal["fashion-mnist", "digits", "ring", "grid", "stacked-fashion"]


class BuiltinDataset(Spec):
    """A dataset that comes with Saddle."""

    kind: Literal["builtin"] = "builtin"
    name: BuiltinName
    resolution: int = Field(ge=1, le=1024)
    """Pixels a side; the dataset's own. 1: the data are points of the plane."""

    @property
    def facts(self) -> catalog.DatasetFacts:
        return catalog.BUILTIN[self.name]

    @model_validator(mode="after")
    def _resolution_is_the_datasets(self) -> Self:
        if self.resolution != self.facts.resolution:
            raise ValueError(
                f"{self.name} is {self.facts.resolution}x{self.facts.resolution}: "
                f"set dataset.resolution to {self.facts.resolution} or leave it out"
            )
        return self
