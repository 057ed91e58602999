"""Settings: from the environment (`CLERESTORY_…`) and a `.env` file, checked once when read."""

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "CLERESTORY_"
DOTENV = ".env"
SECRET = frozenset({"metrics_token"})
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]


class SettingsError(ValueError):
    """Settings that cannot be used: each line names the variable, its value and what would be right."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def default_data_dir() -> Path:
    """`/var/lib/clerestory` for root, else below the user's own data directory."""
    if os.geteuid() == 0:
        return Path("/var/lib/clerestory")
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "clerestory"


def without_password(url: str) -> str:
    """The address as it may be shown: its password, if any, replaced by stars."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}").geturl()


class Settings(BaseSettings):
    """What an installation may set. Use `load_settings` where a person should read the error."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=DOTENV, env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = Field(
        default=None, description="PostgreSQL address; unset: our own server in the data directory"
    )
    mqtt_url: str | None = Field(default=None, description="MQTT broker; unset: our own on loopback")
    data_dir: Path = Field(
        default_factory=default_data_dir, description="where our own servers keep their data"
    )
    http: str = Field(default="127.0.0.1:8080", description="HOST:PORT the pages are served on")
    public_url: str = Field(
        default="", description="the pages' address as people open it; unset: http://HOST:PORT"
    )
    desk_phone: str = Field(
        default="", pattern=r"^\+?[0-9 -]{0,30}$", description="the number technicians tap to call the desk"
    )
    gateway_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="this gateway's name at the broker; unset: one kept in the data directory",
    )
    mqtt_share: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="the group in which several gateways share the messages; unset: each hears all",
    )
    rules_dir: Path | None = Field(
        default=None, description="a folder of your own rule files (*.yaml), beside the shipped rules"
    )
    profiles_dir: Path | None = Field(
        default=None, description="a folder of your own device profiles (*.yaml), beside the shipped ones"
    )
    retention_days: int = Field(
        default=400, ge=31, le=36_500, description="days that readings and events are kept"
    )
    history_days: int = Field(
        default=3_660,
        ge=31,
        le=36_500,
        description="days that daily summaries of readings are kept for charts, at least as long as readings",
    )
    log_level: LogLevel = Field(default="info", description="debug, info, warning or error")
    log_format: LogFormat = Field(default="text", description="text for people, json for log collectors")
    metrics: str | None = Field(
        default=None,
        description="HOST:PORT of a listener of its own for /metrics, /healthz and /readyz; unset: none"
        " (where pages are served, these are on the pages' port)",
    )
    metrics_token: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]{16,200}$",
        description="what whoever reads /metrics from another machine sends as Authorization: Bearer TOKEN;"
        " unset: only this machine may read it",
    )

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"postgresql", "postgres"}:
            raise ValueError("right would be postgresql://USER:PASSWORD@HOST:5432/DATABASE")
        return value

    @field_validator("mqtt_url")
    @classmethod
    def _mqtt_url(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or not _port_fits(value):
                raise ValueError("right would be mqtt://USER:PASSWORD@HOST:1883, or mqtts:// for TLS")
        return value

    @field_validator("data_dir")
    @classmethod
    def _data_dir(cls, value: Path) -> Path:
        return Path(os.path.abspath(value.expanduser()))  # noqa: PTH100 - resolve() would follow links, too

    @field_validator("rules_dir", "profiles_dir")
    @classmethod
    def _rules_dir(cls, value: Path | None) -> Path | None:
        if value is not None and not value.expanduser().is_dir():
            raise ValueError("right would be a folder that exists")
        return value and value.expanduser()

    @field_validator("http", "metrics")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is None:
            return value
        parts = urlsplit(f"//{value}")
        if not parts.hostname or not _port_fits(f"//{value}") or parts.port is None or parts.netloc != value:
            raise ValueError("right would be HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080")
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
            raise ValueError("right would be https://HOST, the address that people open")
        return value.rstrip("/")

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _log_level(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _follow_http(self) -> Self:
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://{self.http}")
        return self

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Host and port of the listener for figures; None where there is none."""
        if self.metrics is None:
            return None
        parts = urlsplit(f"//{self.metrics}")
        return parts.hostname or "", parts.port or 0

    @property
    def http_host(self) -> str:
        return urlsplit(f"//{self.http}").hostname or ""

    @property
    def http_port(self) -> int:
        return urlsplit(f"//{self.http}").port or 0


def _port_fits(url: str) -> bool:
    try:
        return urlsplit(url).port is None or (urlsplit(url).port or 0) >= 0
    except ValueError:
        return False


def load_settings(**given: str) -> Settings:
    """Read the settings, or raise `SettingsError` with one line for each that is wrong.

    What is `given`, by field, goes before what the environment says: options of a command.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [_line(str(found["loc"][0]), found["input"], found["msg"]) for found in error.errors()]
        raise SettingsError(lines) from None


def _line(field: str, value: object, message: str) -> str:
    shown = without_password(value) if isinstance(value, str) else value
    if field in SECRET:
        shown, message = "***", "right would be 16 to 200 printable characters without spaces"
    return f"{PREFIX}{field.upper()}={shown}: {message.removeprefix('Value error, ')}"


def unknown_variables() -> list[str]:
    """Variables, also in `.env`, that carry our prefix and set nothing: most likely misspelt."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    seen = {*os.environ, *dotenv_values(DOTENV)}
    mine = {name for name in seen if name.upper().startswith(PREFIX)}
    return sorted(name for name in mine if name.upper() not in known and "_TEST_" not in name)
