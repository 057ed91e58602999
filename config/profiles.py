"""Device profiles: how one make of device speaks, and how often it is expected to.

A profile maps a vendor's fields to the vocabulary's signals and its codes to canonical events, and says after
how long a silence somebody should look. Adding a vendor is adding one YAML file beside the shipped ones.
"""

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from config.duration import Duration
from config.text import Text
from config.vocabulary import Name, UnknownName, load_vocabulary

Decoder = Literal["milesight"]


class FieldMap(BaseModel):
    """One vendor field as one signal: `value × scale + offset`, or looked up in `values`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signal: Name
    scale: float = 1.0
    offset: float = 0.0
    values: dict[str, float | bool | str] | None = None


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


class Profile(BaseModel):
    """One make of device."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    label: Text
    asset_class: Name | None
    envelope: Literal["native", "lorawan", "kiosk"]
    decoder: Decoder | None = None
    report_interval: Duration | None = None
    stale_after: Duration | None = None
    fields: dict[str, FieldMap] = {}
    ignored_fields: frozenset[str] = frozenset()
    fill: FillFrom | None = None
    field_events: dict[str, EventMap] = {}
    codes: dict[str, Name] = {}
    modes: dict[str, str] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> "Profile":
        if self.asset_class is None:
            return self
        vocabulary = load_vocabulary()
        signals = vocabulary.signals(self.asset_class)
        events = vocabulary.events_on(self.asset_class)
        for field, mapped in self.fields.items():
            if mapped.signal not in signals:
                raise ValueError(f"fields.{field}: {mapped.signal!r} is not a signal of {self.asset_class}")
        for code in (*self.codes.values(), *(each.event for each in self.field_events.values())):
            if code not in events:
                raise ValueError(f"codes: {code!r} is not an event of {self.asset_class}")
        modes = signals["service_mode"].values if "service_mode" in signals else ()
        for code, mode in self.modes.items():
            if mode not in modes:
                raise ValueError(f"modes.{code}: {mode!r} is not a service_mode of {self.asset_class}")
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


@cache
def load_profiles() -> Profiles:
    """Read the shipped profiles, once."""
    yaml = YAML(typ="safe")
    folder = files("config") / "profiles"
    profiles: dict[str, Profile] = {}
    for file in folder.iterdir():
        name, dot, ending = file.name.rpartition(".")
        if dot and ending == "yaml":
            body = yaml.load(file.read_text(encoding="utf-8"))
            profiles[name] = Profile.model_validate({"name": name, **body})
    return Profiles(by_name=dict(sorted(profiles.items())))
