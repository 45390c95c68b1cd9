"""The guard: the reaction to a failure that a detector has found, such as a NaN."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Spec


class GuardOff(Spec):
    """A failure ends the run as `diverged`."""

    kind: Literal["off"] = "off"


class GuardRepair(Spec):
    """A divergence rolls the run back to its last good state; it continues with smaller learning rates."""

    kind: Literal["repair"] = "repair"
    max_repairs: int = Field(default=5, ge=1, le=100)
    """The run ends as `diverged` when this many repairs have not brought it past the point of failure."""


Guard = Annotated[GuardOff | GuardRepair, Field(discriminator="kind")]
