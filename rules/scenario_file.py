"""The shape of a scenario file: stories of devices, and the exact alarms they should give."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from config.duration import Duration
from config.profiles import load_profiles
from config.vocabulary import Signal, load_vocabulary
from rules.book import RuleBook, load_rulebook
from rules.conditions import Value
from rules.document import Document, Keys, Problem, RuleFileError, read_document
from rules.rule import Severity
from rules.scope import nearest
from rules.shape import misshapen


def _event(value: object) -> object:
    return {"code": value} if isinstance(value, str) else value


def _without_zone(at: datetime) -> datetime:
    if at.tzinfo is not None:
        raise ValueError("is on the clock of `zone`: write it without one, like 2026-11-23 22:30")
    return at


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"{zone!r} is not a time zone; write it like Asia/Shanghai")
    return zone


_MOST_TIMES = 100_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceSpec(_Part):
    """The device of a scenario: its profile, and its own and its asset's attributes."""

    profile: str
    attributes: dict[str, bool | float | str] = {}


class EventSpec(_Part):
    """Something that happened; a bare word is its code."""

    code: str
    detail: str = ""


class Entry(_Part):
    """What a device said: when, when it was heard (at once unless told otherwise), and how often again."""

    at: Duration
    every: Duration | None = None
    to: Duration | None = None
    heard: Duration | None = None
    readings: dict[str, bool | float | str] = {}
    events: list[Annotated[EventSpec, BeforeValidator(_event)]] = []
    online: bool | None = None

    @model_validator(mode="after")
    def _repeats_or_is_late(self) -> Self:
        if (self.every is None) != (self.to is None) or self.every == timedelta():
            raise ValueError("`every` and `to` go together: every so long, up to and with `to`")
        if self.every is not None and self.heard is not None:
            raise ValueError("`heard` is for a single message, not with `every`")
        if self.every is not None and self.to is not None and (self.to - self.at) // self.every > _MOST_TIMES:
            raise ValueError(f"more than {_MOST_TIMES} times; say it less often, or `to` an earlier time")
        return self

    def moments(self) -> list[timedelta]:
        """When it is said."""
        if self.every is None or self.to is None:
            return [self.at]
        return [self.at + n * self.every for n in range((self.to - self.at) // self.every + 1)]


class Expected(_Part):
    """An alarm as it should be: `steps` of its severity, each with its moment; how often it `flapped`."""

    rule: str
    raised: Duration
    paged: Duration | Literal["never"]
    cleared: Duration | Literal["never"]
    steps: list[dict[Severity, Duration]] = []
    flapped: int | None = None


class Scenario(_Part):
    """One story of one device; times count from its start. `until`: when it ends.

    `start`: where times of day or days matter, the moment it starts at, on the clock of the community's
    `zone`.
    """

    name: str
    start: Annotated[datetime, AfterValidator(_without_zone)] | None = None
    zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    device: DeviceSpec
    timeline: Annotated[list[Entry], Field(min_length=1)]
    until: Duration | None = None
    expect: list[Expected]


class ScenarioFile(_Part):
    """Scenarios for rule files, named from this file's folder; for the shipped rules if none are named."""

    rules: list[str] | None = None
    scenarios: Annotated[list[Scenario], Field(min_length=1)]


_PARTS = (ScenarioFile, Scenario, Entry, Expected, DeviceSpec, EventSpec)


def read_scenarios(path: Path) -> tuple[RuleBook, tuple[Scenario, ...]]:
    """The scenarios of a file and the rules they try, or RuleFileError with every mistake in either."""
    document = read_document(path)
    try:
        file = ScenarioFile.model_validate(document.content)
    except ValidationError as error:
        raise RuleFileError([*document.problems, *misshapen(document, error, _PARTS)]) from error
    book = load_rulebook(None if file.rules is None else [path.parent / each for each in file.rules])
    problems = list(document.problems)
    for number, scenario in enumerate(file.scenarios):
        problems += _Names(document, ("scenarios", number), book).problems(scenario)
    if problems:
        raise RuleFileError(problems)
    return book, tuple(file.scenarios)


class _Names:
    """Whether a scenario speaks of profiles, signals, events and rules that there are."""

    def __init__(self, document: Document, path: Keys, book: RuleBook) -> None:
        self._document = document
        self._path = path
        self._book = book
        self._found: list[Problem] = []

    def problems(self, scenario: Scenario) -> list[Problem]:
        profiles = load_profiles()
        if scenario.device.profile not in profiles:
            self._unknown(("device", "profile"), "profile", scenario.device.profile, profiles.names)
            return self._found
        asset_class = profiles[scenario.device.profile].asset_class
        self._check_attributes(scenario, asset_class)
        vocabulary = load_vocabulary()
        signals = vocabulary.signals(asset_class) if asset_class else {}
        events = tuple(vocabulary.events_on(asset_class)) if asset_class else ()
        for n, entry in enumerate(scenario.timeline):
            for name, value in entry.readings.items():
                place: Keys = ("timeline", n, "readings", name)
                if name not in signals:
                    self._unknown(place, "signal", name, tuple(signals), key=True)
                elif (problem := _misfit(signals[name], value)) is not None:
                    self._note(place, problem)
            for m, event in enumerate(entry.events):
                if event.code not in events:
                    self._unknown(("timeline", n, "events", m), "event", event.code, events)
        codes = tuple(rule.code for rule in self._book.for_class(asset_class).rules)
        for n, expected in enumerate(scenario.expect):
            if expected.rule not in codes:
                self._unknown(("expect", n, "rule"), "rule", expected.rule, codes)
        return self._found

    def _check_attributes(self, scenario: Scenario, asset_class: str | None) -> None:
        known = self._book.for_class(asset_class).attributes
        for name, value in scenario.device.attributes.items():
            place: Keys = ("device", "attributes", name)
            if name not in known:
                self._unknown(place, "attribute of these rules", name, tuple(known), key=True)
            elif (problem := known[name].problem(value)) is not None:
                self._note(place, problem)

    def _unknown(
        self, place: Keys, kind: str, name: str, known: tuple[str, ...], *, key: bool = False
    ) -> None:
        self._note(place, f"{name!r} is not a known {kind}{nearest(name, known)}", key=key)

    def _note(self, place: Keys, message: str, *, key: bool = False) -> None:
        self._found.append(self._document.at((*self._path, *place), message, key=key))


def _misfit(signal: Signal, value: Value) -> str | None:
    match signal.type:
        case "boolean":
            return None if isinstance(value, bool) else f"{signal.name} is true or false, not {value!r}"
        case "enum":
            known = value in signal.values
            return None if known else f"{signal.name} is never {value!r}; known: {', '.join(signal.values)}"
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"{signal.name} is a number, not {value!r}"
            low, high = signal.minimum, signal.maximum
            outside = (low is not None and value < low) or (high is not None and value > high)
            return f"{signal.name} = {value!r} is outside {low} to {high}" if outside else None
