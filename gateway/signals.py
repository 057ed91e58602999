"""What a device said, once its bytes are parsed: the types everything behind the gateway works on.

Of those made by the thousand the garbage collector knows nothing (`gc=False`): they cannot be part of a
cycle, and looking through them took a fifth of the gateway's time. As structs they are also made faster.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Self

import msgspec


class Device(msgspec.Struct, frozen=True, gc=False):
    """A known device with what its readings need: where it belongs and what it watches.

    `asset_class` is None for a kiosk. `attributes` are its own, laid over its asset's, over those that its
    area and its community set for the class. `timezone` is the community's.
    """

    community_id: int
    device_id: int
    community: str
    code: str
    profile: str
    asset_id: int | None
    asset_class: str | None
    attributes: dict[str, Any] = {}
    timezone: str = "UTC"

    @property
    def key(self) -> tuple[int, int]:
        return self.community_id, self.device_id


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value of one signal at one moment (event time). Booleans are 0 / 1, enumerations their position."""

    signal: str
    ts: datetime
    value: float


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """What a device measured at one moment (event time), by signal; numbers as in `Reading`."""

    ts: datetime
    values: dict[str, float]


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened at a moment, by its canonical code."""

    code: str
    ts: datetime
    detail: str = ""


class Heard(msgspec.Struct, frozen=True, gc=False):
    """All that one accepted message said about one device, oldest first, and when we received it.

    `retained`: it may have been said long before, and the broker only repeated it to us.
    """

    device: Device
    received_at: datetime
    measured: tuple[Measurement, ...] = ()
    events: tuple[Event, ...] = ()
    online: bool | None = None
    retained: bool = False

    @classmethod
    def of(
        cls, device: Device, received_at: datetime, readings: Iterable[Reading], events: Iterable[Event] = ()
    ) -> Self:
        """The same from single readings, oldest first."""
        moments = groupby(readings, attrgetter("ts"))
        measured = tuple(Measurement(ts, {one.signal: one.value for one in some}) for ts, some in moments)
        return cls(device, received_at, measured, tuple(events))

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What was measured, one by one."""
        return tuple(
            Reading(name, each.ts, value) for each in self.measured for name, value in each.values.items()
        )
