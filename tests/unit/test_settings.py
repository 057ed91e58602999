"""Settings: read from the environment and `.env`; what is wrong is said so that it can be mended."""

import os
from pathlib import Path

import pytest

from config.settings import (
    Settings,
    SettingsError,
    load_settings,
    unknown_variables,
    without_password,
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the variables nor the `.env` of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("CLERESTORY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.lines


def test_nothing_set_is_a_small_site_on_loopback() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert settings.mqtt_url is None
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.retention_days == 400


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CLERESTORY_HTTP=0.0.0.0:9000\nCLERESTORY_RETENTION_DAYS=90\nOTHER=1\n")
    monkeypatch.setenv("CLERESTORY_RETENTION_DAYS", "120")
    settings = load_settings()
    assert (settings.http, settings.retention_days) == ("0.0.0.0:9000", 120)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", "")
    assert load_settings().database_url is None


def test_the_data_directory_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().data_dir == tmp_path / "clerestory"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().data_dir == tmp_path / ".local/share/clerestory"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Settings().data_dir == Path("/var/lib/clerestory")


def test_a_relative_data_directory_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLERESTORY_DATA_DIR", ".data")
    assert load_settings().data_dir == tmp_path / ".data"


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("CLERESTORY_DATABASE_URL", "mysql://host/db", "postgresql://USER:PASSWORD@HOST:5432/DATABASE"),
        ("CLERESTORY_MQTT_URL", "localhost:1883", "mqtt://USER:PASSWORD@HOST:1883"),
        ("CLERESTORY_MQTT_URL", "mqtt://localhost:99999", "mqtt://USER:PASSWORD@HOST:1883"),
        ("CLERESTORY_HTTP", "8080", "HOST:PORT, e.g. 127.0.0.1:8080"),
        ("CLERESTORY_HTTP", "127.0.0.1:eighty", "HOST:PORT, e.g. 127.0.0.1:8080"),
        ("CLERESTORY_PUBLIC_URL", "example.org", "https://HOST"),
        ("CLERESTORY_RETENTION_DAYS", "7", "greater than or equal to 31"),
        ("CLERESTORY_RETENTION_DAYS", "long", "valid integer"),
        ("CLERESTORY_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, right: str
) -> None:
    (line,) = refused(monkeypatch, **{name: value})
    assert line.startswith(f"{name}={value}: ")
    assert right in line


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = refused(monkeypatch, CLERESTORY_HTTP="x", CLERESTORY_LOG_LEVEL="loud")
    assert [line.partition("=")[0] for line in lines] == ["CLERESTORY_HTTP", "CLERESTORY_LOG_LEVEL"]


def test_no_message_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = refused(monkeypatch, CLERESTORY_DATABASE_URL="mysql://me:s3cret@host/db")
    assert "s3cret" not in line
    assert "me:***@host" in line


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mqtt://host:1883", "mqtt://host:1883"),
        ("postgresql://u:p%40w@h:5/d?x=y", "postgresql://u:***@h:5/d?x=y"),
        ("postgresql://u:p@/d?host=%2Frun", "postgresql://u:***@/d?host=%2Frun"),
    ],
)
def test_addresses_are_shown_without_their_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_a_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CLERESTORY_HTPP=127.0.0.1:1\nOTHER=1\n")
    monkeypatch.setenv("CLERESTORY_DATABSE_URL", "postgresql://host/db")
    monkeypatch.setenv("CLERESTORY_HTTP", "127.0.0.1:1")
    assert unknown_variables() == ["CLERESTORY_DATABSE_URL", "CLERESTORY_HTPP"]


def test_settings_do_not_change_afterwards() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.http = "127.0.0.1:1"
