"""A device as the gateway knows it: its place, its profile, and what it may say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf, isfinite

import msgspec

from config.profiles import Profile
from config.vocabulary import Signal, load_vocabulary
from gateway.refusals import Refused, shown
from gateway.signals import Device

AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Ear:
    """What may be said about one asset class. `ranges` is the hot path's view of its numbers."""

    signals: dict[str, Signal]
    ranges: dict[str, tuple[float, float]]
    events: frozenset[str]


@cache
def ear_for(asset_class: str) -> Ear:
    """Compile the vocabulary of one asset class."""
    vocabulary = load_vocabulary()
    signals = vocabulary.signals(asset_class)
    ranges = {
        name: (
            -inf if signal.minimum is None else signal.minimum,
            inf if signal.maximum is None else signal.maximum,
        )
        for name, signal in signals.items()
        if signal.type == "number"
    }
    return Ear(signals, ranges, frozenset(vocabulary.events_on(asset_class)))


class FillSpan(msgspec.Struct, frozen=True, gc=False):
    """The distances a bin's sensor measures when the bin is empty and when it is full."""

    empty_mm: float
    full_mm: float

    def percent(self, distance_mm: float) -> float:
        share = (self.empty_mm - distance_mm) / (self.empty_mm - self.full_mm)
        return round(100 * min(1.0, max(0.0, share)), 1)


class Known(msgspec.Struct, frozen=True, gc=False):
    """A registered device with what is needed to understand it."""

    device: Device
    profile: Profile
    ear: Ear | None
    fill: FillSpan | None
    retired_at: datetime | None = None

    def admit(self, received_at: datetime) -> None:
        """Refuse what a device says after it was retired."""
        if self.retired_at is not None and self.retired_at <= received_at:
            since = self.retired_at.isoformat()
            raise Refused("retired_device", f"device {self.device.code!r} is retired since {since}")

    def listen(self) -> Ear:
        """Give what the device may say, or refuse: only something maintained has readings."""
        if self.ear is None:
            if self.profile.envelope == "kiosk":
                raise Refused("unknown_signal", f"{self.device.code!r} is a kiosk; a kiosk has no readings")
            raise Refused(
                "no_asset", f"device {self.device.code!r} has no asset; attach it to what it watches"
            )
        return self.ear


def known(device: Device, profile: Profile, retired_at: datetime | None = None) -> Known:
    """Compile what the hot path needs of one device."""
    fill = None
    if profile.fill is not None:
        empty = _number(device.attributes.get(profile.fill.empty_attribute))
        full = _number(device.attributes.get(profile.fill.full_attribute))
        if empty is not None and full is not None and empty > full:
            fill = FillSpan(empty, full)
    ear = None if device.asset_class is None else ear_for(device.asset_class)
    return Known(device, profile, ear, fill, retired_at)


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    return None


@dataclass(frozen=True, slots=True)
class Window:
    """Which event times are taken, around the moment of receiving."""

    retention: timedelta
    ahead: timedelta = AHEAD

    def admit(self, ts: datetime, received_at: datetime) -> datetime:
        """Give the time in UTC, or refuse it."""
        if ts > received_at + self.ahead:
            raise Refused(
                "ts_ahead",
                f"ts {ts.isoformat()} is more than {self.ahead.seconds // 60} minutes after "
                f"{received_at.isoformat()}; set the device's clock",
            )
        if ts < received_at - self.retention:
            raise Refused(
                "older_than_retention",
                f"ts {ts.isoformat()} is older than the {self.retention.days} days that are kept",
            )
        return ts.astimezone(UTC)


def signal_value(signal: Signal, value: object) -> float:
    """One value of one signal as the number it is stored as, or refuse it."""
    if signal.type == "boolean":
        if isinstance(value, bool):
            return float(value)
        raise Refused("bad_type", f"{signal.name} is {shown(value)}; right would be true or false")
    if signal.type == "enum":
        if isinstance(value, str) and value in signal.values:
            return float(signal.values.index(value))
        raise Refused(
            "out_of_range",
            f"{signal.name} is {shown(value)}; right would be one of {', '.join(signal.values)}",
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(
            "bad_type", f"{signal.name} is {shown(value)}; right would be a number in {signal.unit or '1'}"
        )
    low = -inf if signal.minimum is None else signal.minimum
    high = inf if signal.maximum is None else signal.maximum
    if not isfinite(value) or not low <= value <= high:
        unit = f" {signal.unit}" if signal.unit else ""
        raise Refused(
            "out_of_range", f"{signal.name} is {shown(value)}; right would be {low:g} to {high:g}{unit}"
        )
    return float(value)
