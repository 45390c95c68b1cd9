"""DiffAugment: every image is changed before the discriminator sees it, real and generated alike."""

from collections.abc import Mapping

from torch import Generator, Tensor

from models import specs
from models.augment import policies


def shown(spec: specs.DiffAugment, images_NCHW: Tensor, rng: Generator, statistics: Mapping[str, Tensor]) -> Tensor:
    """Return T(x): the policies applied in the spec's order (Zhao et al. 2020, fig. 4)."""
    del statistics
    for policy in spec.policies:
        change = policies.REGISTRY[policy]
        images_NCHW = change.apply(images_NCHW, change.draw(images_NCHW, rng))
    return images_NCHW
