"""Progress: how far a run has come."""

from pydantic import BaseModel, ConfigDict, Field


class Progress(BaseModel):
    """Numbers of a run that, with the spec and the tensors, let it continue as if it had never stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    images_seen: int = Field(default=0, ge=0)
    """Real images shown to the discriminator; each of its steps shows one batch."""
    training_seconds: float = Field(default=0.0, ge=0)
    """Seconds over all attempts. Two runs of a spec with a budget of images differ in this field alone."""
    guard_factor: float = Field(default=1.0, gt=0, le=1)
    """Factor by which the guard has reduced the spec's learning rates."""
    salt: int = Field(default=0, ge=0)
    """The number of times that the guard has changed the run's random numbers."""
    amended: bool = False
    """Whether a remedy has changed the spec. If so, the run resumes under the snapshot's spec, not its first one."""
    guard: dict[str, dict[str, float | int]] = Field(default_factory=dict)
    """The memory of each detector and remedy, by its name."""
    best_rank: tuple[float, ...] | None = None
    """The rank of the best evaluation; less is better. None: there was none."""
    stale_evaluations: int = Field(default=0, ge=0)
    """The number of evaluations since the best one."""
    summed: dict[str, int] = Field(default_factory=dict)
    """The number of values in each running sum of the unfinished tick."""
