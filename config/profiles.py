"""Device profiles: how one make of device speaks, and how often it is expected to.

A profile maps a vendor's fields to the vocabulary's signals and its codes to canonical events, and says after
how long a silence somebody should look. Adding a vendor is adding one YAML file: to the shipped ones, or to a
site's own folder.
"""

from datetime import timedelta
from functools import cache
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from config.duration import Duration
from config.profile_check import meant
from config.text import Text
from config.units import SAME, conversion
from config.vocabulary import Name, Signal, UnknownName, load_vocabulary

Decoder = Literal["milesight"]
TimeFormat = Literal["rfc3339", "unix", "unix_ms"]


def _finite(value: object) -> object:
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("should be a number that a sensor can mean")
    return value


def _code(value: object) -> object:
    """Give a code as text: YAML takes a bare 7 for a number, and a bare yes for true."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Finite = Annotated[float, BeforeValidator(_finite)]
Code = Annotated[str, BeforeValidator(_code)]
FieldPath = Annotated[str, Field(min_length=1, max_length=200)]


class FieldMap(BaseModel):
    """One vendor field as one signal.

    Looked up in `values` where they are given (null there: not measured). Otherwise `value × scale + offset`,
    which is in `unit` (the signal's own where none is named); or, with `span: [empty, full]`, where between
    these ends it lies, in %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    signal: Name
    unit: str | None = None
    scale: Finite = 1.0
    offset: Finite = 0.0
    span: tuple[Finite, Finite] | None = None
    values: dict[Code, float | bool | str | None] | None = None

    def convert(self, value: float, signal: Signal) -> float:
        """Give a vendor's number in the signal's unit. Raises OverflowError for one too large to be meant."""
        number = value * self.scale + self.offset
        if self.span is not None:
            low, high = self.span
            return round(100 * min(1.0, max(0.0, (number - low) / (high - low))), 1)
        into = conversion(self.unit, signal.unit) if self.unit is not None else SAME
        return number if into is None or into == SAME else number * into.scale + into.offset


class FillFrom(BaseModel):
    """How full a bin is, from the distance its sensor measures.

    The distances (mm) when empty and when full come from the named attributes of the device or its asset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    empty_attribute: str = "empty_distance_mm"
    full_attribute: str = "full_distance_mm"


class EventMap(BaseModel):
    """A vendor field that reports a happening: `event` is recorded when it has the value `when`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str | bool | float
    event: Name


class TimeField(BaseModel):
    """The vendor field that says when it was measured; without it, the network server's time of receiving."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: FieldPath
    format: TimeFormat = "rfc3339"


class Profile(BaseModel):
    """One make of device. A field's name may be a path into what is nested: `data.level`, `values.0`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    label: Text
    asset_class: Name | None
    envelope: Literal["native", "lorawan", "json", "kiosk"]
    decoder: Decoder | None = None
    report_interval: Duration | None = None
    stale_after: Duration | None = None
    time: TimeField | None = None
    fields: dict[FieldPath, FieldMap] = {}
    ignored_fields: frozenset[str] = frozenset()
    fill: FillFrom | None = None
    field_events: dict[FieldPath, EventMap] = {}
    code_fields: frozenset[FieldPath] = frozenset()
    codes: dict[Code, Name] = {}
    ignored_codes: frozenset[Code] = frozenset()
    modes: dict[Code, str] = {}

    @field_validator("stale_after")
    @classmethod
    def _outlasts_an_interval(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        interval = info.data.get("report_interval")
        if value is not None and interval is not None and value < interval:
            raise ValueError("shorter than report_interval; it would be silent between any two reports")
        return value

    @model_validator(mode="after")
    def _can_be_meant(self) -> "Profile":
        said = self.model_dump(mode="json", exclude_unset=True) | {"asset_class": self.asset_class}
        wrong = [f"{'.'.join(map(str, path))}: {what}" for path, what in meant(said, load_vocabulary())]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class Profiles(BaseModel):
    """All shipped profiles by name."""

    model_config = ConfigDict(frozen=True)

    by_name: dict[str, Profile]

    def __getitem__(self, name: str) -> Profile:
        try:
            return self.by_name[name]
        except KeyError:
            raise UnknownName("device profile", name, tuple(self.by_name)) from None

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.by_name)


_site_folder: list[Path] = []


def use_site_profiles(folder: Path | None) -> None:
    """Have `load_profiles` give a site's own profiles beside the shipped ones, from now on in this process.

    Raises `config.profile_files.ProfileFileError` with every mistake in them; then nothing has changed.
    """
    from config.profile_files import read_folder  # noqa: PLC0415 - it reads what is defined here

    if folder is not None:
        read_folder(folder, _shipped())
    _site_folder[:] = [] if folder is None else [folder]
    load_profiles.cache_clear()


@cache
def load_profiles() -> Profiles:
    """Read the shipped profiles and the site's, once."""
    from config.profile_files import read_folder  # noqa: PLC0415 - it reads what is defined here

    shipped = _shipped()
    own = {name: each for folder in _site_folder for name, each in read_folder(folder, shipped).items()}
    return Profiles(by_name=dict(sorted((shipped | own).items())))


@cache
def _shipped() -> dict[str, Profile]:
    from config.profile_files import read_folder  # noqa: PLC0415 - it reads what is defined here

    return read_folder(Path(str(files("config"))) / "profiles", {})
