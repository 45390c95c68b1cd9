"""Whether numbers are numbers."""

from collections.abc import Iterable

import torch
from torch import Tensor


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds NaN or infinity; waits for the device once.

    A sum that is finite has finite terms only; one that is not may merely have overflowed, so then each term is asked.
    """
    tensors = list(tensors)
    if not tensors or bool(torch.stack([tensor.sum(dtype=torch.float32) for tensor in tensors]).isfinite().all()):
        return True
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
