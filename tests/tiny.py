"""Settings that make tests of the service quick: tiny networks on the bundled digits, and short waits."""

from typing import Any

SPEC: dict[str, Any] = {
    "dataset": {"name": "digits"},
    "architecture": {"generator_widths": [32], "discriminator_widths": [32], "latent_dim": 8},
    "batch_size": 32,
    "precision": "fp32",
}
SETTINGS = {
    "SADDLE_LEASE_SECONDS": "5",
    "SADDLE_HEARTBEAT_SECONDS": "1",
    "SADDLE_CONTROL_SECONDS": "0.2",
    "SADDLE_RECONCILE_SECONDS": "1",
    "SADDLE_BACKOFF_SECONDS": "0.5",
    "SADDLE_MIN_FREE_BYTES": "0",
    "OMP_NUM_THREADS": "1",
}
