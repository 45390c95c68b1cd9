"""Progress: where a run stands."""

from pydantic import BaseModel, ConfigDict, Field


class Progress(BaseModel):
    """With the spec and the tensors, all that a run needs to go on as if it had never stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    images_seen: int = Field(default=0, ge=0)
    """Real images shown to the discriminator; each of its steps shows one batch."""
    training_seconds: float = Field(default=0.0, ge=0)
    """Over all attempts. The one field that two runs of a spec do not share."""
    guard_factor: float = Field(default=1.0, gt=0, le=1)
    """What the guard has left of the spec's learning rates."""
    salt: int = Field(default=0, ge=0)
    """The number of times that the guard has drawn other noise."""
    amended: bool = False
    """Whether a remedy has changed the spec: the run goes on under the snapshot's, not under the one it began with."""
    guard: dict[str, dict[str, float | int]] = Field(default_factory=dict)
    """What each detector and remedy remembers, by its name."""
    summed: dict[str, int] = Field(default_factory=dict)
    """The number of values in each running sum of the unfinished tick."""
