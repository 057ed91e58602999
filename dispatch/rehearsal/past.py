"""What is stored of the past and decides which alarms become orders. Pure; moments are the engine's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatch.status import Severity, Status
from rules.replay.story import Story


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device belongs today."""

    device_id: int
    community_id: int
    community: str
    zone: str
    asset_id: int
    asset_class: str
    parent_id: int | None
    area_id: int
    area: str


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment to another, which is no longer in it; None: it goes on."""

    start: int
    end: int | None

    def holds(self, at: int) -> bool:
        """Whether a moment is in it."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class MuteSpan:
    """A mute as long as it stood; what is None does not matter for the match. `until`: as it was meant."""

    community_id: int
    rule: str | None
    asset_id: int | None
    area_id: int | None
    until: int
    span: Span

    def fits(self, rule: str, place: Place) -> bool:
        """Whether it is about such an alarm there."""
        return (
            self.community_id == place.community_id
            and self.rule in (None, rule)
            and self.asset_id in (None, place.asset_id)
            and self.area_id in (None, place.area_id)
        )


@dataclass(frozen=True, slots=True)
class EmergencySpan:
    """A declared emergency as long as it stood."""

    community_id: int
    kind: str
    reason: str
    span: Span


@dataclass(frozen=True, slots=True)
class Move:
    """An order went to another status; `by_itself`: no person did that."""

    at: int
    status: Status
    by_itself: bool


@dataclass(frozen=True, slots=True)
class PastAlarm:
    """An alarm that an order was about, in event time."""

    device_id: int
    rule: str
    raised: int
    cleared: int | None


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order as it was. `lead`: the rule whose alarm opened it; None where people or plans did."""

    id: int
    number: str
    community_id: int
    asset_id: int
    area_id: int
    kind: str
    skill: str
    severity: Severity
    joinable: bool
    cancel_on_clear: bool
    opened: int
    lead: str | None
    moves: tuple[Move, ...]
    alarms: tuple[PastAlarm, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """All of it. `inspections` are by asset; `others` are recorded alarms of rules that were not replayed.

    `orders` were as they were, whatever the rules; a rehearsal opens its own instead of those `for_alarms`.
    """

    places: Mapping[int, Place]
    mutes: tuple[MuteSpan, ...] = ()
    emergencies: tuple[EmergencySpan, ...] = ()
    inspections: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    orders: tuple[PastOrder, ...] = ()
    for_alarms: tuple[PastOrder, ...] = ()
    others: tuple[Story, ...] = ()
