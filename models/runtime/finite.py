"""Checks for NaN and infinity."""

from collections.abc import Iterable

import torch
from torch import Tensor


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Return whether no tensor holds NaN or infinity. Usually waits for the device once.

    If a tensor's sum is finite, all its elements are. A sum that is not finite may have overflowed, so every element is
    checked in that case.
    """
    tensors = list(tensors)
    if not tensors or bool(torch.stack([tensor.sum(dtype=torch.float32) for tensor in tensors]).isfinite().all()):
        return True
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
