"""The service's address and its key, from the environment (SADDLE_URL, SADDLE_API_KEY, SADDLE_DATA_DIR)."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from saddle.errors import SaddleError


class SettingsError(SaddleError):
    """The environment holds a value that cannot be used."""


def _http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError(f"must start with http:// or https://, not {text!r}")
    return text.rstrip("/")


class Settings(BaseSettings):
    """Settings of the command, read once. Other programs pass url and key to `Client` themselves."""

    model_config = SettingsConfigDict(env_prefix="SADDLE_", frozen=True)

    url: Annotated[str, AfterValidator(_http_url)] = "http://127.0.0.1:8000"
    api_key: SecretStr = SecretStr("")
    """The API key. Empty: the key that the service wrote into its data folder."""
    data_dir: Path = Path(".saddle")

    @property
    def api_key_file(self) -> Path:
        return self.data_dir / "api-key"

    def key(self) -> str:
        """Return the key to send; empty if there is none (a service that runs without keys needs none).

        Raises SettingsError if the key's file exists but cannot be read.
        """
        if self.api_key.get_secret_value():
            return self.api_key.get_secret_value().strip()
        try:
            return self.api_key_file.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read the API key in {self.api_key_file}: {error}") from error


def read() -> Settings:
    """Read the settings of this process. Raises SettingsError, naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [f"SADDLE_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
        raise SettingsError("; ".join(problems)) from error
