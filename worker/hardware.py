"""The hardware of a worker's machine, without PyTorch, which takes seconds to load."""

import os
from pathlib import Path

NO_GPU = {"", "-1"}
"""The values of CUDA_VISIBLE_DEVICES that hide every GPU."""


def device(wish: str, *, devices: Path = Path("/dev")) -> str:
    """Return the device that the setting names; auto: cuda where the system has a GPU for CUDA, or else cpu."""
    if wish != "auto":
        return wish
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in NO_GPU
    # Linux has nvidia0, nvidia1, ...; Windows' Subsystem for Linux has dxg.
    found = any(devices.glob("nvidia[0-9]*")) or (devices / "dxg").exists()
    return "cuda" if found and not hidden else "cpu"
