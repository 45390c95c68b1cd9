"""The number format that a run computes in."""

from typing import Literal

import torch


def autocast_dtype(precision: Literal["auto", "fp32", "bf16"], *, device: torch.device) -> torch.dtype | None:
    """Return the format for autocast; None: everything in float32."""
    if precision == "bf16" or (precision == "auto" and computes_in_bf16(device)):
        return torch.bfloat16
    return None


def set_float32(precision: Literal["auto", "fp32", "bf16"], *, device: torch.device) -> None:
    """Set how CUDA multiplies and convolves float32 numbers, for the whole process.

    It uses TF32, which keeps 10 bits of the mantissa, or full float32 if the spec asks for fp32. Arithmetic on other
    devices is not changed.
    """
    if device.type == "cuda":
        # Not `torch.backends.cuda.matmul.fp32_precision`: PyTorch 2.13's compiler still reads the older switches, which
        # raise once it is set (pytorch/pytorch#166387). These two set the newer ones as well.
        torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
        torch.backends.cudnn.allow_tf32 = precision != "fp32"


def computes_in_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16 matrices faster than float32 ones."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False
