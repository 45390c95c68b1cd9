"""Which number format a run computes in."""

from typing import Literal

import torch


def autocast_dtype(precision: Literal["auto", "fp32", "bf16"], *, device: torch.device) -> torch.dtype | None:
    """The format for autocast; None: everything in float32."""
    if precision == "bf16" or (precision == "auto" and computes_in_bf16(device)):
        return torch.bfloat16
    return None


def computes_in_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 matrices faster than float32 ones."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False
