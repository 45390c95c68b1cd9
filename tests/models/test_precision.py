"""Precision: TF32 where a spec allows it, on CUDA devices alone."""

from collections.abc import Iterator
from typing import Literal

import pytest
import torch

from models.runtime import precision


@pytest.fixture(autouse=True)
def _switches() -> Iterator[None]:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


def switches() -> tuple[object, ...]:
    """Return the switches as kernels and PyTorch's compiler read them. The older ones raise if they contradict the
    newer.
    """
    backends = torch.backends
    old = backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    convolutions = backends.cudnn.conv  # type: ignore[attr-defined]  # PyTorch adds it when it is imported
    return *old, backends.cuda.matmul.fp32_precision == "tf32", convolutions.fp32_precision == "tf32"


@pytest.mark.parametrize("asked", ["auto", "bf16", "fp32"])
def test_a_processor_computes_as_before(asked: Literal["auto", "bf16", "fp32"]) -> None:
    before = switches()
    precision.set_float32(asked, device=torch.device("cpu"))
    assert switches() == before


def test_a_gpu_computes_in_tf32_unless_the_spec_says_fp32_and_the_compiler_can_read_that() -> None:
    exact, fast = (False, False, "highest", False, False), (True, True, "high", True, True)
    asked: tuple[tuple[Literal["auto", "bf16", "fp32"], tuple[object, ...]], ...]
    asked = (("auto", fast), ("fp32", exact), ("bf16", fast), ("fp32", exact))
    for name, expected in asked:
        precision.set_float32(name, device=torch.device("cuda"))
        assert switches() == expected


def test_tf32_allowed_for_a_gpu_leaves_the_processors_products_alone() -> None:
    left, right = torch.randn(64, 64), torch.randn(64, 64)
    before = left @ right
    precision.set_float32("auto", device=torch.device("cuda"))
    assert torch.equal(left @ right, before)
