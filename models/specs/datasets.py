"""Datasets: the data that a run learns from, and the facts about it that the run depends on.

The facts are looked up once, when a spec is made, and stored in it. A spec can then be read, checked and trained
without looking up its dataset.
"""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Name, Spec

LITTLE_DATA = 20_000
"""With fewer training images a discriminator sees each of them often enough to remember it."""

BuiltinName = Literal["fashion-mnist", "digits", "ring", "grid", "stacked-fashion"]


class DatasetFacts(Spec):
    """Shape and size of a dataset's training split."""

    resolution: int = Field(ge=1, le=1024)
    """Pixels a side; images are square. 1: the data are points in the plane."""
    channels: int = Field(ge=1, le=4)
    """Number of channels: 1 for grey, 3 for RGB, 2 for the coordinates of a point."""
    images: int = Field(ge=1, le=10**12)
    """Images to train on."""
    holdout_images: int = Field(default=0, ge=0, le=10**12)
    """Images that are never trained on."""
    classes: int = Field(ge=0, le=10**6)
    """Number of classes; labels run from 0 to one less. 0: the images have no labels."""
    flips_natural: bool
    """Whether a mirrored image is as likely as the image itself."""
    features: Annotated[str, Field(max_length=64)] | None = None
    """The feature extractor for FID, precision and recall; null: these metrics are not available."""
    channels_alike: bool = False
    """Whether all channels show things of one kind."""
    modes: int | None = Field(default=None, ge=1, le=10**6)
    """The number of separate modes; null: unknown."""

    @property
    def has_classes(self) -> bool:
        return self.classes > 1

    @property
    def holds_pictures(self) -> bool:
        return not self.holds_points

    @property
    def holds_points(self) -> bool:
        """Whether the images are points in the plane: a single pixel whose two channels are the coordinates."""
        return self.resolution == 1


class BuiltinDataset(Spec):
    """A dataset that comes with Saddle."""

    kind: Literal["builtin"] = "builtin"
    name: BuiltinName
    facts: DatasetFacts


class UploadedDataset(Spec):
    """A dataset that was uploaded. `digest` is the SHA-256 of its images and labels."""

    kind: Literal["uploaded"] = "uploaded"
    id: str = Field(pattern=r"^ds_[0-9a-z]{26}$")
    name: Name
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    facts: DatasetFacts


Dataset = Annotated[BuiltinDataset | UploadedDataset, Field(discriminator="kind")]
