"""The dispatch policy of config/dispatch.yaml, parsed once into frozen types."""

from collections.abc import Mapping
from datetime import date, time
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from config.calendar import shipped_calendar
from config.duration import Duration
from config.text import Text
from dispatch.alarm_policy import AlarmPolicy
from dispatch.clocks import Calendar, Span
from dispatch.status import SEVERITIES, Severity

Clocking = Literal["around_the_clock", "business_hours"]
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _parse_span(value: object) -> object:
    """Read "08:30-12:00"; 24:00 is the day's end."""
    if not isinstance(value, str):
        return value
    starts, dash, ends = value.partition("-")
    if not dash:
        raise ValueError(f"{value!r} is not a span; write it like 08:30-12:00")
    return Span(time.fromisoformat(starts), time(0) if ends == "24:00" else time.fromisoformat(ends))


T = TypeVar("T")


def _for_every_severity(values: Mapping[Severity, T]) -> Mapping[Severity, T]:
    if missing := [severity for severity in SEVERITIES if severity not in values]:
        raise ValueError(f"{', '.join(missing)} missing; every severity needs a value")
    return values


BySeverity = Annotated[Mapping[Severity, T], AfterValidator(_for_every_severity)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Deadlines(_Part):
    """How long each clock runs; None does not run."""

    clock: Clocking = "around_the_clock"
    respond: Duration | None = None
    arrive: Duration | None = None
    complete: Duration | None = None
    progress: Duration | None = None


class Override(_Part):
    """Deadlines of a place or a kind of work; what is left out does not matter for the match."""

    community: str | None = None
    area: str | None = None
    kind: str | None = None
    severity: Severity | None = None
    clock: Clocking | None = None
    respond: Duration | None = None
    arrive: Duration | None = None
    complete: Duration | None = None
    progress: Duration | None = None

    def fits(self, community: str, area: str, kind: str, severity: Severity) -> bool:
        """Whether this override is about such an order."""
        asked = (self.community, self.area, self.kind, self.severity)
        return all(
            mine in (None, theirs)
            for mine, theirs in zip(asked, (community, area, kind, severity), strict=True)
        )


class WorkingTimes(_Part):
    """The office's week. Its holidays and the extra working days are the house's (config/calendar.yaml)."""

    week: dict[str, tuple[Annotated[Span, BeforeValidator(_parse_span)], ...]]
    holidays: frozenset[date] = Field(default_factory=lambda: shipped_calendar().holidays)
    extra_days: frozenset[date] = Field(default_factory=lambda: shipped_calendar().extra_days)

    @model_validator(mode="after")
    def _known_weekdays(self) -> "WorkingTimes":
        if unknown := set(self.week) - set(_WEEKDAYS):
            raise ValueError(
                f"week: {', '.join(sorted(unknown))}: a weekday is one of {', '.join(_WEEKDAYS)}"
            )
        if not any(self.week.values()):
            raise ValueError("week: at least one weekday needs working hours")
        for day, spans in self.week.items():
            if any(span.ends != time(0) and span.ends <= span.starts for span in spans):
                raise ValueError(
                    f"week: {day}: a span ends after it starts, on the same day (24:00 at the latest)"
                )
            if any(a.ends == time(0) or a.ends > b.starts for a, b in pairwise(spans)):
                raise ValueError(f"week: {day}: spans follow each other and do not overlap")
        return self

    def calendar(self, zone: str) -> Calendar:
        """Make the calendar of a community's time zone."""
        week = {_WEEKDAYS.index(day) + 1: spans for day, spans in self.week.items()}
        return Calendar(ZoneInfo(zone), week, self.holidays, self.extra_days)


class Offers(_Part):
    """How long an offer stands, how many stand at once, and when a new round begins."""

    timeout: BySeverity[Duration]
    at_once: BySeverity[Annotated[int, Field(ge=1, le=2)]]
    round_again: BySeverity[Duration]


class Step(_Part):
    """One rung: so long after the trouble began, tell this role, in these ways."""

    after: Duration
    whom: Literal["dispatcher", "manager"]
    how: tuple[Literal["board", "message"], ...]


class Escalation(_Part):
    """The ladder; it ends at the manager, whose rung repeats."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    repeat: Duration

    @model_validator(mode="after")
    def _ends_at_the_manager(self) -> "Escalation":
        if self.steps[-1].whom != "manager":
            raise ValueError(
                f"steps: the last step is for the {self.steps[-1].whom}; it must be the manager's"
            )
        if any(a.after > b.after for a, b in pairwise(self.steps)):
            raise ValueError("steps: `after` must not become shorter from step to step")
        return self


class Verification(_Part):
    """When the office is asked about completed work, and when verified work closes."""

    ask_after: Duration
    close_after: Duration


class Weights(_Part):
    """The matching's prices; only their proportions matter."""

    unserved: BySeverity[float]
    waiting: BySeverity[float]
    overdue_hour: float
    load: float
    other_area: float
    other_community: float
    continuity: float


class Matching(_Part):
    """How many orders one person may have, and what speaks for whom."""

    capacity: BySeverity[Annotated[int, Field(ge=1)]]
    on_hold_counts: bool
    weights: Weights


class HoldReason(_Part):
    """Why work is interrupted, whether the clocks stop meanwhile, and when somebody must look again."""

    name: Text
    stops_clock: bool
    review_after: Duration


class PlannedWork(_Part):
    """Deadlines of planned orders, from the plan's time."""

    severity: Severity
    respond: Duration
    complete: Duration
    clock: Clocking


class PhotoLimits(_Part):
    """What photos are taken and how they are kept."""

    most: int
    largest_bytes: int
    largest_pixels: int
    side: int
    quality: Annotated[int, Field(ge=1, le=95)]


class Policy(_Part):
    """All of config/dispatch.yaml."""

    deadlines: BySeverity[Deadlines]
    overrides: tuple[Override, ...]
    calendar: WorkingTimes
    offers: Offers
    escalation: Escalation
    verification: Verification
    alarms: AlarmPolicy
    matching: Matching
    decline_reasons: dict[str, Text]
    hold_reasons: dict[str, HoldReason]
    results: dict[str, Text]
    undelivered: frozenset[str]
    kinds: dict[str, Text]
    skills: dict[str, Text]
    plans: PlannedWork
    photos: PhotoLimits

    @model_validator(mode="after")
    def _known_results(self) -> "Policy":
        if unknown := self.undelivered - self.results.keys():
            raise ValueError(f"undelivered: {', '.join(sorted(unknown))}: not one of results")
        return self

    def kind_name(self, kind: str) -> Text:
        """Name a kind of work in words."""
        return self.kinds.get(kind, Text(zh=kind, en=kind))

    def skill_name(self, skill: str) -> Text:
        """Name a skill in words."""
        return self.skills.get(skill, Text(zh=skill, en=skill))

    def calendar_for(self, clock: Clocking, zone: str) -> Calendar | None:
        """Pick the calendar a clock runs by; None runs around the clock."""
        return self.calendar.calendar(zone) if clock == "business_hours" else None


def load_policy(path: Path) -> Policy:
    """Read a policy file; what is wrong is named by field."""
    return Policy.model_validate(YAML(typ="safe").load(path.read_text("utf-8")))


@cache
def shipped_policy() -> Policy:
    """Read the policy that ships with the house, once."""
    return Policy.model_validate(
        YAML(typ="safe").load(files("config").joinpath("dispatch.yaml").read_text("utf-8"))
    )


def deadlines_of(
    policy: Policy, own: Deadlines | None, fit: Override | None, severity: Severity
) -> Deadlines:
    """Lay the severity's deadlines, the rule's own and the place's override over each other."""
    chosen = policy.deadlines[severity].model_dump()
    for layer in (own, fit):
        if layer is not None:
            given = layer.model_dump(
                include=set(Deadlines.model_fields), exclude_none=True, exclude_unset=True
            )
            chosen.update(given)
    return Deadlines.model_validate(chosen)


def override_for(
    policy: Policy, *, community: str, area: str, kind: str, severity: Severity
) -> Override | None:
    """Find the first override that is about such an order."""
    return next((o for o in policy.overrides if o.fits(community, area, kind, severity)), None)
