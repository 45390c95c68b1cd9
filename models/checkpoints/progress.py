"""Position: where a run stands."""

from pydantic import BaseModel, ConfigDict, Field


class Position(BaseModel):
    """With the spec and the tensors, all that a run needs to go on as if it had never stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    images_seen: int = Field(default=0, ge=0)
    """Real images shown to the discriminator; each of its steps shows one batch."""
    training_seconds: float = Field(default=0.0, ge=0)
    """Over all attempts. The one thing here that two runs of a spec do not share."""
    learning_rate_factor: float = Field(default=1.0, gt=0, le=1)
    """What the guard's repairs have left of the spec's learning rates."""
    salt: int = Field(default=0, ge=0)
    """How often the guard has drawn other noise."""
    repairs: int = Field(default=0, ge=0)
    """Repairs since a good state was last kept beyond the furthest failure."""
    failed_at: int = Field(default=0, ge=0)
    """Images seen at the furthest failure."""
    summed: dict[str, int] = Field(default_factory=dict)
    """How many values each running sum of the tick under way holds."""
