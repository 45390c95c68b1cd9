"""The built-in datasets: their names and facts, available without loading any image."""

from dataclasses import dataclass

from models.specs import BuiltinDataset, BuiltinName, DatasetFacts


@dataclass(frozen=True)
class Builtin:
    name: BuiltinName
    title: str
    class_names: tuple[str, ...]
    facts: DatasetFacts

    @property
    def spec(self) -> BuiltinDataset:
        """The dataset as it appears in a training spec."""
        return BuiltinDataset(name=self.name, facts=self.facts)


FASHION_MNIST = Builtin(
    name="fashion-mnist",
    title="Fashion-MNIST: 60,000 grey garments (Zalando Research, MIT licence)",
    class_names=(
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
    facts=DatasetFacts(
        resolution=28,
        channels=1,
        images=60_000,
        holdout_images=10_000,
        classes=10,
        flips_natural=False,  # every shoe points to the left
        features="garments",
    ),
)

DIGITS = Builtin(
    name="digits",
    title="UCI handwritten digits: 1,797 grey 8x8 images (shipped with scikit-learn, CC BY 4.0)",
    class_names=tuple("0123456789"),
    facts=DatasetFacts(
        resolution=8, channels=1, images=1_497, holdout_images=300, classes=10, flips_natural=False, features="imagenet"
    ),
)

RING = Builtin(
    name="ring",
    title="Ring: points of the plane, 8 Gaussians of deviation 0.0075 on a circle of radius 0.75 (Lin et al. 2018)",
    class_names=tuple(str(mode) for mode in range(8)),
    facts=DatasetFacts(
        resolution=1, channels=2, images=100_000, holdout_images=10_000, classes=8, flips_natural=False, modes=8
    ),
)

GRID = Builtin(
    name="grid",
    title="Grid: points of the plane, 25 Gaussians of deviation 0.01 at -0.8, -0.4, …, 0.8 each way (Lin et al. 2018)",
    class_names=tuple(str(mode) for mode in range(25)),
    facts=DatasetFacts(
        resolution=1, channels=2, images=100_000, holdout_images=10_000, classes=25, flips_natural=False, modes=25
    ),
)

STACKED_FASHION = Builtin(
    name="stacked-fashion",
    title="Stacked Fashion-MNIST: three random garments as red, green and blue, 1,000 modes (after Metz et al. 2017)",
    class_names=tuple(f"{mode:03d}" for mode in range(1000)),
    facts=DatasetFacts(
        resolution=28,
        channels=3,
        images=60_000,
        holdout_images=10_000,
        classes=1000,
        flips_natural=False,
        channels_alike=True,
        features="imagenet",
        modes=1000,
    ),
)

BUILTIN: dict[str, Builtin] = {entry.name: entry for entry in (FASHION_MNIST, DIGITS, RING, GRID, STACKED_FASHION)}
