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
    features: str | None  # the feature extractor its quality is measured in, None: no FID, precision or recall
    channels_alike: bool = False  # each channel shows a thing of the same kind
    modes: int | None = None  # how many separate modes it is known to have, None: nobody knows

    @property
    def holds_points(self) -> bool:
        """Whether its images are points of the plane: two channels, the coordinates, of a single pixel."""
        return self.resolution == 1


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

RING = DatasetFacts(
    name="ring",
    title="Ring: points of the plane, 8 Gaussians of deviation 0.0075 on a circle of radius 0.75 (Lin et al. 2018)",
    resolution=1,
    channels=2,  # the coordinates
    images=100_000,
    classes=tuple(str(mode) for mode in range(8)),
    flips_natural=False,
    features=None,
    modes=8,
)

GRID = DatasetFacts(
    name="grid",
    title="Grid: points of the plane, 25 Gaussians of deviation 0.01 at -0.8, -0.4, …, 0.8 each way (Lin et al. 2018)",
    resolution=1,
    channels=2,  # the coordinates
    images=100_000,
    classes=tuple(str(mode) for mode in range(25)),
    flips_natural=False,
    features=None,
    modes=25,
)

STACKED_FASHION = DatasetFacts(
    name="stacked-fashion",
    title="Stacked Fashion-MNIST: three random garments as red, green and blue, 1,000 modes (after Metz et al. 2017)",
    resolution=28,
    channels=3,
    images=60_000,
    classes=tuple(f"{mode:03d}" for mode in range(1000)),
    flips_natural=False,
    features=None,
    channels_alike=True,
    modes=1000,
)

BUILTIN: dict[str, DatasetFacts] = {facts.name: facts for facts in (FASHION_MNIST, DIGITS, RING, GRID, STACKED_FASHION)}
