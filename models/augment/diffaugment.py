"""DiffAugment: every image that is judged is changed first, real and generated alike."""

from collections.abc import Mapping

from torch import Generator, Tensor

from models import specs
from models.augment import policies


def judged(spec: specs.DiffAugment, images_NCHW: Tensor, chance: Generator, memory: Mapping[str, Tensor]) -> Tensor:
    """T(x), the policies in the spec's order (Zhao et al. 2020, fig. 4)."""
    del memory
    for policy in spec.policies:
        images_NCHW = policies.REGISTRY[policy](images_NCHW, chance)
    return images_NCHW
