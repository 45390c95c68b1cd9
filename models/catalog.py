"""The facts of the built-in datasets: what a spec is resolved and checked against, known without loading a pixel."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetFacts:
    """Shape and size of a dataset. `flips_natural`: a mirrored image is as likely as the image itself."""

    name: str
    title: str
    resolution: int  # images are square, resolution x resolution pixels
    channels: int  # 1 grey, 3 RGB
    images: int  # in the training split
    classes: tuple[str, ...]
    flips_natural: bool
    features: str | None  # the feature extractor its quality is measured in, None: no quality metrics


FASHION_MNIST = DatasetFacts(
    name="fashion-mnist",
    title="Fashion-MNIST: 60,000 grey garments (Zalando Research, MIT licence)",
    resolution=28,
    channels=1,
    images=60_000,
    classes=(
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    flips_natural=False,  # every shoe points to the left
    features="garments",
)

DIGITS = DatasetFacts(
    name="digits",
    title="UCI handwritten digits: 1,797 grey 8x8 images (shipped with scikit-learn, CC BY 4.0)",
    resolution=8,
    channels=1,
    images=1_797,
    classes=tuple("0123456789"),
    flips_natural=False,
    features=None,
)

BUILTIN: dict[str, DatasetFacts] = {facts.name: facts for facts in (FASHION_MNIST, DIGITS)}
