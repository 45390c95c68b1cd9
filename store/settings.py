"""Settings from the environment, all prefixed SADDLE_."""

import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL
from sqlalchemy.engine import make_url

from store import addresses

PREFIX = "SADDLE_"
WRONG = 2
"""The exit status of a process whose settings are wrong."""
OWN_FOLDER = "write the path of a folder of yours, which need not exist yet"
LONGEST_SHOWN = 60
"""The number of characters of a wrong value that are shown."""
LONGEST_SECONDS = 1e9
"""A limit for durations. Longer than any installation lives, and short enough for a thread to wait so long."""


class Settings(BaseSettings):
    """The settings of an installation, read once by each process's composition root and handed down."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, allow_inf_nan=False)

    data_dir: Path = Path(".saddle")
    """Database, artifacts, datasets and the admin key."""
    database_url: str = ""
    """The database's address; empty: SQLite in the data folder."""
    redis_url: str = ""
    """Redis's address; empty: `make serve` starts the embedded one and fills this in."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    auth: Literal["keys", "none"] = "keys"
    device: str = "auto"
    processes: int = Field(default=1, ge=1, le=1024)
    """The number of processes that train a job together. Each takes a share of every batch and, on GPUs, one GPU."""

    lease_seconds: float = Field(default=60, gt=0, le=LONGEST_SECONDS)
    """A runner that has not renewed its lease for this long is taken for dead."""
    heartbeat_seconds: float = Field(default=10, gt=0, le=LONGEST_SECONDS)
    control_seconds: float = Field(default=1, gt=0, le=LONGEST_SECONDS)
    """The time between two checks of a job by its supervisor."""
    reconcile_seconds: float = Field(default=10, gt=0, le=LONGEST_SECONDS)
    stall_seconds: float = Field(default=900, gt=0, le=LONGEST_SECONDS)
    """A runner without progress for this long is ended."""
    stop_grace_seconds: float = Field(default=60, gt=0, le=LONGEST_SECONDS)
    """The time from SIGTERM, at which a runner saves a checkpoint, to SIGKILL."""
    cancel_grace_seconds: float = Field(default=5, gt=0, le=LONGEST_SECONDS)
    backoff_seconds: float = Field(default=2, ge=0, le=LONGEST_SECONDS)
    """The wait after the first crash. It doubles with each further crash, up to ten minutes."""
    max_body_bytes: int = Field(default=1_000_000, ge=1000)
    max_upload_bytes: int = Field(default=20 * 2**30, ge=1000)
    """The size of a file of images that a client may upload."""
    min_free_bytes: int = Field(default=64 * 2**20, ge=0)
    """The free space that a checkpoint must leave on the disk."""
    sweep_seconds: float = Field(default=600, gt=0, le=LONGEST_SECONDS)
    """The time between two searches of the reconciler for artifacts without a row."""
    orphan_seconds: float = Field(default=3600, gt=0, le=LONGEST_SECONDS)
    """The time from the last change of an artifact without a row to its removal."""

    @classmethod
    def read(cls) -> Self:
        """Read the environment. A wrong setting ends the process, with one line that says what to write."""
        try:
            return cls()
        except ValidationError as error:
            print(f"error: {explain(error)}", file=sys.stderr)
            raise SystemExit(WRONG) from None

    @field_validator("data_dir")
    @classmethod
    def _a_folder(cls, path: Path) -> Path:
        try:
            found = _nearest(path)
        except OSError as error:
            raise ValueError(f"cannot be used ({error.strerror}); {OWN_FOLDER}") from None
        if not found.is_dir():
            raise ValueError(f"cannot be a folder, for {found} is a file; {OWN_FOLDER}")
        return path

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, address: str) -> str:
        return addresses.check_database(address.strip()) if address.strip() else ""

    @field_validator("redis_url")
    @classmethod
    def _a_redis(cls, address: str) -> str:
        return addresses.check_redis(address.strip()) if address.strip() else ""

    @field_validator("device")
    @classmethod
    def _a_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", device):
            raise ValueError("is no device; write auto, cpu, cuda or, for the first GPU, cuda:0")
        return device

    @model_validator(mode="after")
    def _room_for_sqlite(self) -> Self:
        if not self.database_url and not os.access(_nearest(self.data_dir), os.W_OK | os.X_OK):
            raise ValueError(f"SADDLE_DATA_DIR={self.data_dir} cannot be written to; {OWN_FOLDER}")
        return self

    @model_validator(mode="after")
    def _no_open_door(self) -> Self:
        if self.auth == "none" and not _is_loopback(self.host):
            raise ValueError(
                f"SADDLE_AUTH=none is refused on {self.host}: without keys only a loopback host is served; "
                "write SADDLE_HOST=127.0.0.1 or SADDLE_AUTH=keys"
            )
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
    def database(self) -> URL:
        if self.database_url:
            return make_url(self.database_url)
        return addresses.sqlite(str(self.data_dir.absolute() / "saddle.db"))

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
    def features_dir(self) -> Path:
        """The features of real images, kept for other processes. They can be measured again."""
        return self.data_dir / "cache" / "features"

    @property
    def api_key_file(self) -> Path:
        return self.data_dir / "api-key"


def explain(error: ValidationError) -> str:
    """Return one line that names each wrong variable, what is wrong with it and what to write."""
    return "; ".join(_explain(problem) for problem in error.errors())


def _explain(problem: ErrorDetails) -> str:
    # Messages of validators say what to write.
    message = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else problem["msg"]
    message = " ".join(message.split())
    if not problem["loc"]:
        return message
    field = str(problem["loc"][0])
    variable = f"{PREFIX}{field.upper()}"
    if problem["type"] == "value_error":
        return f"{variable} {message}"
    wrong = repr(problem["input"])
    shown = wrong if len(wrong) <= LONGEST_SHOWN else f"{wrong[:LONGEST_SHOWN]}…"
    default = Settings.model_fields[field].default
    return f"{variable} is {shown}, but {message[0].lower()}{message[1:]}; write for example {variable}={default}"


def _nearest(path: Path) -> Path:
    """Return a path, or the nearest above it that exists. Raises OSError if that cannot be found out."""
    above = [path.absolute(), *path.absolute().parents]
    return next(one for one in above if one.exists())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
