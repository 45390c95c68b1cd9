"""Comparison: a generator's images beside the real ones, in one extractor's features."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models import specs
from models.evaluators import extractors
from models.evaluators.extractors import Done, Extractor, untold
from models.evaluators.measured import NotMeasurable
from models.evaluators.reference import References

Measure = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything that a metric may look at. `fake_NCHW` is in the stored format, uint8 pixels or float32 points."""

    dataset: specs.Dataset
    references: References
    fake_NCHW: Tensor
    extractor: Extractor | None
    """None for points, which are compared as they are."""
    done: Done = untold
    """Called as the features of fakes are measured; with 0, as those of real images are."""
    path_NCHW: Tensor | None = None
    """The images of `paths.latents`, for the path length; None: there is no generator."""
    nearest: list[tuple[int, int]] = field(default_factory=list)
    """The pairs that memorisation finds: the numbers of samples and of the training images nearest to them."""
    _of_fake: dict[str, Tensor] = field(default_factory=dict)

    def features(self, extractor: Extractor | None = None) -> tuple[Tensor, Tensor]:
        """Return the features of the real images and of the fakes, measured once."""
        chosen = extractor or self.extractor
        assert chosen is not None, "the spec refuses such metrics where there is no extractor"
        real = self.references.real.features(chosen, device=self.fake_NCHW.device, done=self._none_done)
        return real, self._fake(chosen)

    def known(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Return a statistic of the real images' features, computed once."""
        assert self.extractor is not None
        return self.references.real.statistic(name, compute, self.extractor, device=self.fake_NCHW.device)

    @property
    def least_images(self) -> int:
        """The number of real images, or of fakes if there are fewer."""
        return min(len(self.references.real), len(self.fake_NCHW))

    def features_of_training_images(self) -> Tensor:
        assert self.extractor is not None
        return self.references.train.features(self.extractor, device=self.fake_NCHW.device, done=self._none_done)

    def features_of_path(self) -> Tensor:
        """Return the features of the images along paths. Raises NotMeasurable where there is no generator."""
        if self.path_NCHW is None:
            raise NotMeasurable("the path length is that of a generator, not of images")
        assert self.extractor is not None
        return self.extractor.of(self.path_NCHW, done=self._none_done)

    @property
    def labels(self) -> Tensor:
        """The classes of the real images."""
        return torch.tensor(self.references.real.images.labels, device=self.fake_NCHW.device)

    def random_features(self) -> tuple[Tensor, Tensor]:
        """Return features of fixed random convolutions."""
        return self.features(extractors.REGISTRY["random"])

    def _fake(self, extractor: Extractor) -> Tensor:
        if extractor.name not in self._of_fake:
            self._of_fake[extractor.name] = extractor.of(self.fake_NCHW, done=self.done)
        return self._of_fake[extractor.name]

    def _none_done(self, images: int) -> None:
        self.done(0)
