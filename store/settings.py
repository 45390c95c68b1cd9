"""Settings from the environment, all prefixed SADDLE_."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once by each process's composition root and handed down."""

    model_config = SettingsConfigDict(env_prefix="SADDLE_", frozen=True)

    data_dir: Path = Path(".saddle")
    """Database, artifacts, datasets and the admin key."""
    database_url: str = ""
    """SQLAlchemy address; empty: SQLite in the data folder."""
    redis_url: str = ""
    """Redis address; empty: `make serve` starts the embedded one and fills this in."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    auth: Literal["keys", "none"] = "keys"
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    processes: int = Field(default=1, ge=1, le=1024)
    """That train a job together, each with a share of every batch; on GPUs each on its own, from the first one on."""

    lease_seconds: float = Field(default=60, gt=0)
    """A runner that did not renew for so long is taken for dead."""
    heartbeat_seconds: float = Field(default=10, gt=0)
    control_seconds: float = Field(default=1, gt=0)
    """How often a supervisor looks for a cancel."""
    reconcile_seconds: float = Field(default=10, gt=0)
    stall_seconds: float = Field(default=900, gt=0)
    """A runner without progress for so long is ended."""
    stop_grace_seconds: float = Field(default=60, gt=0)
    """From the wish to stop (SIGTERM: checkpoint) to SIGKILL."""
    cancel_grace_seconds: float = Field(default=5, gt=0)
    backoff_seconds: float = Field(default=2, ge=0)
    """The wait after the first crash; it doubles with each further one, up to ten minutes."""
    max_body_bytes: int = Field(default=1_000_000, ge=1000)
    min_free_bytes: int = Field(default=64 * 2**20, ge=0)
    """Free space that a checkpoint must leave on the disk."""
    sweep_seconds: float = Field(default=600, gt=0)
    """How often the reconciler looks for files that no row stands for."""
    orphan_seconds: float = Field(default=3600, gt=0)
    """From a file's last change to its removal, where no row stands for it."""

    @model_validator(mode="after")
    def _no_open_door(self) -> Self:
        if self.auth == "none" and not _is_loopback(self.host):
            raise ValueError(f"SADDLE_AUTH=none is refused on {self.host}: without keys only a loopback host is served")
        return self

    @model_validator(mode="after")
    def _heartbeat_within_lease(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError("SADDLE_HEARTBEAT_SECONDS must be at most half of SADDLE_LEASE_SECONDS")
        return self

    @model_validator(mode="after")
    def _a_row_comes_within_the_lease(self) -> Self:
        if self.orphan_seconds < 2 * self.lease_seconds:
            raise ValueError("SADDLE_ORPHAN_SECONDS must be at least twice SADDLE_LEASE_SECONDS")
        return self

    @model_validator(mode="after")
    def _a_device_a_process(self) -> Self:
        if self.processes > 1 and ":" in self.device:
            raise ValueError(
                f"SADDLE_DEVICE={self.device} is one GPU, and SADDLE_PROCESSES={self.processes} take one each: set "
                "SADDLE_DEVICE to cuda, and CUDA_VISIBLE_DEVICES to choose among them"
            )
        return self

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'saddle.db'}"

    @property
    def redis(self) -> str:
        return self.redis_url or "redis://127.0.0.1:6379/0"

    @property
    def artifacts_dir(self) -> Path:
        return self.data_dir / "artifacts"

    @property
    def datasets_dir(self) -> Path:
        return self.data_dir / "datasets"

    @property
    def api_key_file(self) -> Path:
        return self.data_dir / "api-key"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
