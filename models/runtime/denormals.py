"""Denormals: numbers too near zero for the normal form of their format.

Intel's x86 processors compute with them in microcode, a hundred times as slowly. Adam's means are full of them where
units have died, because each step multiplies these means by the decay.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch


@contextmanager
def flushed() -> Iterator[None]:
    """Replace denormals by 0 within the context: in this thread, Python's floats too, and in its OpenMP threads."""
    before = sys.float_info.min / 2 == 0
    _flush(on=True)
    try:
        yield
    finally:
        _flush(on=before)


def _flush(*, on: bool) -> None:
    torch.set_flush_denormal(on)
    # OpenMP's threads inherit the mode when they are created, and PyTorch sets it in the calling thread only, so it is
    # set in each of them here. This finds the OpenMP library by the name that PyTorch loads. If PyTorch uses another
    # library, its threads are not changed.
    with suppress(OSError):
        visit = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: _set(on))
        ctypes.CDLL("libgomp.so.1").GOMP_parallel(visit, None, 0, 0)


def _set(on: bool) -> None:
    torch.set_flush_denormal(on)
