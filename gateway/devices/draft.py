"""A device as written, as it stands, and as it may be registered; and what is wrong with it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from config.profiles import Profiles
from config.text import Text
from gateway.devices.attributes import (
    Limits,
    Value,
)

CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
EUI: Final = re.compile(r"[0-9A-Fa-f]{16}")
ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A device as written in a form or a row: all is text, an attribute that is empty is not wanted."""

    community: str
    code: str
    profile: str
    asset: str = ""
    dev_eui: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssetKnown:
    """An asset that a device may watch."""

    asset_id: int
    code: str
    asset_class: str
    name: Text
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Registered:
    """A device as it stands."""

    device_id: int
    community_id: int
    community: str
    code: str
    profile: str
    asset_id: int | None
    asset: str
    dev_eui: str | None
    attributes: Mapping[str, Value]
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Land:
    """What is there: communities by code, their assets and devices by code, and whose each DevEUI is."""

    communities: Mapping[str, int]
    assets: Mapping[tuple[str, str], AssetKnown]
    devices: Mapping[tuple[str, str], Registered]
    euis: Mapping[str, tuple[str, str]]
    profiles: Profiles
    attributes: Mapping[str, Mapping[str, Limits]]


@dataclass(frozen=True, slots=True)
class Fit:
    """A device that may be registered as written. `was` is what it was before, where it was there."""

    community_id: int
    community: str
    code: str
    profile: str
    asset_id: int | None
    asset: str
    dev_eui: str | None
    attributes: Mapping[str, Value]
    was: Registered | None = None

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of what is different now; none for a device that is new."""
        if self.was is None:
            return ()
        columns = ("profile", "asset", "dev_eui")
        names = [name for name in columns if getattr(self, name) != getattr(self.was, name)]
        both = {**self.was.attributes, **self.attributes}
        names += [name for name in both if self.attributes.get(name) != self.was.attributes.get(name)]
        return tuple(names)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in which field, and what would be right. An attribute's field is its name."""

    field: str
    value: str
    right: Text


def shown_value(value: object) -> str:
    """An attribute's value as people write it, such that writing it again means the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        short = f"{value:.12g}"
        return short if float(short) == value else repr(value)
    return str(value)
