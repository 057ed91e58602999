"""From the engine's effects on many devices to rows of alarms and changes for the rest of the house. Pure.

Within one batch an alarm may be raised, told of, and end, more than once for one rule of one device. Each
alarm becomes one row written once, whatever happened to it on the way; only the steps of its severity are
written one by one, each a line of its history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from rules.changes import AlarmChange
from rules.effects import Cleared, Effect, Flapped, Paged, Raised, Stepped
from rules.moments import from_moment
from rules.rule import Rule, Severity

Key = tuple[int, int]  # community_id, device_id


@dataclass(frozen=True, slots=True)
class NewAlarm:
    """An alarm to be stored; one that has already ended again comes with its end."""

    key: Key
    asset_id: int
    rule: str
    severity: str
    title: tuple[str, str]
    meaning: tuple[str, str]
    facts: dict[str, Any]
    raised_at: datetime
    recorded_at: datetime
    paged_at: datetime | None
    cleared_at: datetime | None
    cleared_known_at: datetime | None  # our clock


@dataclass(frozen=True, slots=True)
class AlarmMove:
    """What happens to the live alarm of a rule on a device: people are told of it, it ends, or both."""

    device_id: int
    rule: str
    paged_at: datetime | None
    cleared_at: datetime | None
    cleared_known_at: datetime | None  # our clock
    facts: dict[str, Any]  # what is known of it beyond its first


@dataclass(frozen=True, slots=True)
class SeverityStep:
    """An alarm becomes more or less severe, at an event time."""

    alarm_id: int
    severity: Severity
    at: datetime


@dataclass(frozen=True, slots=True)
class MovedAlarm:
    """A live alarm after its move."""

    id: int
    device_id: int
    rule: str
    paged: bool
    cleared_at: datetime | None
    severity: Severity
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """An effect and the device it is about; `wall` is our clock when what caused it was heard."""

    key: Key
    asset_id: int
    effect: Effect
    wall: int


@dataclass(slots=True)
class Story:
    """What happened to one alarm in this batch. `raised` is None for one that was live before."""

    key: Key
    asset_id: int
    rule: Rule
    raised: Raised | None = None
    paged_at: datetime | None = None
    cleared_at: datetime | None = None
    cleared_known_at: datetime | None = None
    alarm_id: int | None = None
    paged: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    severity: Severity | None = None
    steps: list[tuple[Severity, datetime]] = field(default_factory=list)

    def new_alarm(self, raised: Raised) -> NewAlarm:
        """The row of an alarm raised in this batch."""
        recorded_at = from_moment(raised.wall)
        return NewAlarm(
            key=self.key,
            asset_id=self.asset_id,
            rule=self.rule.code,
            severity=self.rule.severity,
            title=(self.rule.title.zh, self.rule.title.en),
            meaning=(self.rule.meaning.zh, self.rule.meaning.en),
            facts=self.facts,
            raised_at=from_moment(raised.at),
            recorded_at=recorded_at,
            paged_at=recorded_at if raised.page else self.paged_at,
            cleared_at=self.cleared_at,
            cleared_known_at=self.cleared_known_at,
        )

    def move(self) -> AlarmMove:
        """The change of an alarm that was live before."""
        return AlarmMove(
            self.key[1], self.rule.code, self.paged_at, self.cleared_at, self.cleared_known_at, self.facts
        )

    def was(self, alarm: MovedAlarm) -> None:
        """Learn which row it is."""
        self.alarm_id, self.paged, self.facts = alarm.id, alarm.paged, alarm.facts
        self.severity = self.severity or alarm.severity


@dataclass(slots=True)
class Batch:
    """The stories of a batch, and each finding with the story it belongs to, in order."""

    stories: list[Story] = field(default_factory=list)
    _told: list[tuple[Finding, Story]] = field(default_factory=list)

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Batch":
        """Sort findings into stories."""
        batch = cls()
        current: dict[tuple[int, str], Story] = {}
        for finding in findings:
            batch._take(finding, current)
        return batch

    def _take(self, finding: Finding, current: dict[tuple[int, str], Story]) -> None:
        effect = finding.effect
        place = (finding.key[1], effect.rule.code)
        story = current.get(place)
        if story is None or isinstance(effect, Raised):
            story = current[place] = Story(finding.key, finding.asset_id, effect.rule)
            self.stories.append(story)
        match effect:
            case Raised():
                story.raised, story.paged, story.facts = effect, effect.page, dict(effect.facts)
            case Paged():
                story.paged_at, story.paged = from_moment(effect.wall), True
            case Stepped():
                story.severity = effect.severity
                story.steps.append((effect.severity, from_moment(effect.at)))
            case Flapped():
                story.facts.update(effect.facts)
            case Cleared():
                story.cleared_at = from_moment(effect.at)
                story.cleared_known_at = from_moment(max(finding.wall, effect.at))
                del current[place]
        self._told.append((finding, story))

    @property
    def new(self) -> list[Story]:
        """Alarms raised in this batch."""
        return [story for story in self.stories if story.raised is not None]

    @property
    def earlier(self) -> list[Story]:
        """Alarms that were live before."""
        return [story for story in self.stories if story.raised is None]

    def learn(self, inserted: Mapping[int, int], moved: Iterable[MovedAlarm]) -> None:
        """Take the ids that the database gave, by position in `new`, and the rows of `earlier`."""
        for position, alarm_id in inserted.items():
            self.new[position].alarm_id = alarm_id
        rows = {(alarm.device_id, alarm.rule): alarm for alarm in moved}
        for story in self.earlier:
            alarm = rows.get((story.key[1], story.rule.code))
            if alarm is not None:
                story.was(alarm)

    def steps(self) -> list[list[SeverityStep]]:
        """The steps of severities, in rounds: no alarm twice in one."""
        taken = [
            (n, SeverityStep(story.alarm_id, severity, at))
            for story in self.stories
            if story.alarm_id is not None
            for n, (severity, at) in enumerate(story.steps)
        ]
        rounds = max((n for n, _ in taken), default=-1) + 1
        return [[step for n, step in taken if n == each] for each in range(rounds)]

    def changes(self) -> list[AlarmChange]:
        """What the rest of the house acts on, in order; without alarms that were live already."""
        return [
            _change(finding, story, story.alarm_id)
            for finding, story in self._told
            if story.alarm_id is not None
        ]


def _change(finding: Finding, story: Story, alarm_id: int) -> AlarmChange:
    kind: Literal["raised", "paged", "stepped", "flapped", "cleared"]
    match finding.effect:
        case Raised(at=moment, page=tell):
            kind = "raised"
        case Paged(wall=moment):
            kind, tell = "paged", True
        case Cleared(at=moment):
            kind, tell = "cleared", story.paged
        case Stepped(at=moment, page=tell):
            kind = "stepped"
        case Flapped(wall=moment):
            kind, tell = "flapped", False
    return AlarmChange(
        kind=kind,
        alarm_id=alarm_id,
        community_id=story.key[0],
        device_id=story.key[1],
        asset_id=story.asset_id,
        rule=story.rule,
        at=from_moment(moment),
        page=tell,
        facts=story.facts,
        stepped_to=story.severity,
    )
