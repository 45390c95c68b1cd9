"""The client's settings: which service, and where its key comes from."""

from pathlib import Path

import pytest

from saddle import settings
from saddle.settings import SettingsError


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SADDLE_URL", "SADDLE_API_KEY", "SADDLE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_service_is_on_loopback_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read().url == "http://127.0.0.1:8000"
    monkeypatch.setenv("SADDLE_URL", "https://gan.example.org/")
    assert settings.read().url == "https://gan.example.org"


def test_key_comes_from_the_environment_then_from_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings.read().key() == ""
    (tmp_path / ".saddle").mkdir()
    (tmp_path / ".saddle" / "api-key").write_text("of-the-default-folder\n")
    assert settings.read().key() == "of-the-default-folder"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "api-key").write_text("of-the-named-folder\n")
    monkeypatch.setenv("SADDLE_DATA_DIR", str(tmp_path / "elsewhere"))
    assert settings.read().key() == "of-the-named-folder"
    monkeypatch.setenv("SADDLE_API_KEY", "of-the-environment")
    assert settings.read().key() == "of-the-environment"


def test_key_does_not_show_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SADDLE_API_KEY", "hush")
    assert "hush" not in repr(settings.read())


def test_address_without_a_scheme_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SADDLE_URL", "127.0.0.1:8000")
    with pytest.raises(SettingsError, match=r"SADDLE_URL: .*must start with http://"):
        settings.read()


def test_unreadable_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".saddle" / "api-key").mkdir(parents=True)
    with pytest.raises(SettingsError, match="api-key"):
        settings.read().key()
