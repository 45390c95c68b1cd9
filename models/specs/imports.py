"""Options of an import: what becomes of the pictures that a client uploads."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Spec

SIDES = Annotated[int, Field(ge=28, le=512)]


class ImportOptions(Spec):
    """How pictures are turned into images of one size and one number of channels."""

    resolution: SIDES | Literal["auto"] = "auto"
    """Pixels a side. auto: that of the pictures if all are equal squares, else 64, or 32 for smaller pictures."""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """How a picture that is not square is fitted: its longer sides cut, a margin added, or distorted."""
    channels: Literal["auto", 1, 3] = "auto"
    """1 for grey, 3 for colour. auto: grey if every picture is grey."""
    labels: Literal["folders", "csv", "none"] = "folders"
    """Where classes come from: the folders, a file labels.csv with the columns file and label, or nowhere."""
    flips_natural: bool = False
    """Whether a mirrored image is as likely as the image itself."""
    background: str = Field(default="#ffffff", pattern=r"^#[0-9a-fA-F]{6}$")
    """The colour behind transparent pixels and in the margin that `pad` adds."""
    holdout: float = Field(default=0.1, ge=0, le=0.5)
    """Share of the images that is never trained on. At most 10,000; at least 500 of 5,000 or more."""
    layout: Literal["images"] = "images"
