"""What happens when a run diverges."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Spec


class GuardOff(Spec):
    """Divergence ends the run as `diverged`."""

    kind: Literal["off"] = "off"


class GuardRepair(Spec):
    """Divergence rolls the run back to its last good state and goes on with smaller learning rates."""

    kind: Literal["repair"] = "repair"
    max_repairs: int = Field(default=5, ge=1, le=100)
    """So many repairs without progress past the point of failure end the run as `diverged`."""


Guard = Annotated[GuardOff | GuardRepair, Field(discriminator="kind")]
