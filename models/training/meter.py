"""The meter: running means of named quantities, summed on the device and moved to the host once a tick."""

from collections.abc import Mapping

import torch
from torch import Tensor


class Meter:
    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add one scalar to each name's sum. Does not wait for the device."""
        for name, value in values.items():
            addend = value.detach().float()
            self._sums[name] = self._sums[name] + addend if name in self._sums else addend
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """Return the mean of each quantity since the last reset. The only method here that waits for the device."""
        if not self._sums:
            return {}
        sums = torch.stack(list(self._sums.values())).tolist()
        return {name: total / self._counts[name] for name, total in zip(self._sums, sums, strict=True)}

    def reset(self) -> None:
        self._sums, self._counts = {}, {}

    @property
    def sums(self) -> dict[str, Tensor]:
        return dict(self._sums)

    @property
    def counts(self) -> dict[str, int]:
        return dict(self._counts)

    def restore(self, sums: Mapping[str, Tensor], counts: Mapping[str, int], *, device: torch.device) -> None:
        """Restore the sums and counts. Names keep the order of `counts`, because files do not keep that of `sums`."""
        self._counts = dict(counts)
        self._sums = {name: sums[name].to(device) for name in counts}
