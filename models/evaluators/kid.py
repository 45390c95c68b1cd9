"""Kernel inception distance (Binkowski et al. 2018, arXiv:1801.01401): unbiased, so that few images are enough."""

from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Measured

BLOCK = 1_000
LEAST = 100
LEAST_BLOCKS = 5


def kid(real: Tensor, fake: Tensor) -> Measured:
    """Return the squared maximum mean discrepancy of N x D features under the kernel (x.y / D + 1)^3.

    It is the mean over disjoint blocks of 1,000 images, or of a fifth of the images if there are fewer than 5,000. It
    may be negative where the sets are alike. Raises NotMeasurable for fewer than 100 images.
    """
    measured.require(real, least=LEAST, of="real images")
    measured.require(fake, least=LEAST, of="samples")
    number = max(LEAST_BLOCKS, min(len(real), len(fake)) // BLOCK)
    pairs = zip(real.double().tensor_split(number), fake.double().tensor_split(number), strict=True)
    blocks = [mmd2(one, other) for one, other in pairs]
    return measured.by_blocks(sum(blocks) / number, blocks)


def mmd2(real: Tensor, fake: Tensor) -> float:
    """Return the unbiased estimate of the squared discrepancy; Gretton et al. 2012, lemma 6."""
    one, other, both = (_kernel(a, b) for a, b in ((real, real), (fake, fake), (real, fake)))
    within = sum(float((kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1))) for kernel in (one, other))
    return within - 2 * float(both.mean())


def _kernel(one: Tensor, other: Tensor) -> Tensor:
    return (one @ other.T / one.shape[1] + 1) ** 3
