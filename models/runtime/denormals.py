"""Denormals: numbers too near zero for the normal form of their format.

x86 processors of Intel's work them out in microcode, a hundred times as slowly. Adam's means are full of them wherever
units have died: each step takes them by its decay towards zero.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch


@contextmanager
def flushed() -> Iterator[None]:
    """Within, what would be a denormal is 0: in this thread, Python's floats too, and in all that work for it."""
    before = sys.float_info.min / 2 == 0
    _flush(on=True)
    try:
        yield
    finally:
        _flush(on=before)


def _flush(*, on: bool) -> None:
    torch.set_flush_denormal(on)
    # OpenMP's threads inherit the mode when they are made, and PyTorch sets it in the calling thread alone. The library
    # is the one that PyTorch has loaded, by its name; where PyTorch uses another, its threads stay as they are.
    with suppress(OSError):
        visit = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: _set(on))
        ctypes.CDLL("libgomp.so.1").GOMP_parallel(visit, None, 0, 0)


def _set(on: bool) -> None:
    torch.set_flush_denormal(on)
