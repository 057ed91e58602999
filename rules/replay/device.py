"""One device's history through the engine: its clock stands at event time and stops at every timer. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from rules.effects import Cleared, Effect, Paged, Raised, Stepped
from rules.engine import Facts, Said, Status, Tick, next_due, step
from rules.replay.story import Step, Story
from rules.ruleset import RuleSet
from rules.state import DeviceState


class Alarm(msgspec.Struct, frozen=True):
    """An alarm as a replay finds it, or as it was recorded; moments in microseconds since 1970, event time.

    `severity` is the latest. `paged`: people were told of it. `earlier`: it was on before the time looked at.
    """

    rule: str
    severity: str
    raised: int
    cleared: int | None = None
    paged: bool = False
    earlier: bool = False


class DeviceReplay:
    """Steps one set of rules through one device's history, as gateway and worker would have together."""

    def __init__(self, rules: RuleSet, facts: Facts) -> None:
        self._rules = rules
        self._facts = facts
        self._state = DeviceState()
        self._due: int | None = None
        self._stories: list[Story] = []
        self._live: dict[str, int] = {}  # positions in `_stories`, by rule

    def take(self, given: Said | Status) -> None:
        """Hear what the device said, or that it is there or gone, in the order in which that was heard."""
        if self._due is not None and self._due <= given.received:
            self.sleep(given.received)
        self._step(given)

    def sleep(self, until: int) -> None:
        """Let the clock move on, and every timer on the way run out at its very moment."""
        now: int | None = None
        while self._due is not None and self._due <= until:
            if now is not None and self._due <= now:
                break  # nothing more moves at this moment
            now = self._due
            self._step(Tick(now))

    def leave(self, at: int) -> None:
        """The device is retired: what is on ends there and then."""
        for position in self._live.values():
            ended = max(at, self._stories[position].raised)
            self._go_on(position, cleared=ended, over=ended)
        self._live.clear()

    def alarms(self, start: int, end: int) -> list[Alarm]:
        """The alarms that were on at some time from `start` to `end`, as they stood at its end."""
        return seen((_alarm_of(each) for each in self._stories), start, end)

    @property
    def stories(self) -> Sequence[Story]:
        """All alarms so far, with the moments to act on them; not yet of a device or a side."""
        return self._stories

    def _step(self, given: Said | Status | Tick) -> None:
        before = self._state
        self._state, effects = step(self._rules, before, given, self._facts)
        if self._state is not before or isinstance(given, Tick):
            self._due = next_due(self._rules, self._state, self._facts)
        for effect in effects:
            self._note(effect, given.now if isinstance(given, Tick) else given.received)

    def _note(self, effect: Effect, now: int) -> None:
        code = effect.rule.code
        match effect:
            case Raised(rule=rule, at=at, page=page):
                self._live[code] = len(self._stories)
                told = now if page else None
                self._stories.append(Story(0, code, 0, rule.severity, at, now, told))
            case Paged():
                self._go_on(self._live[code], told=now)
            case Stepped(severity=severity, page=page):
                position = self._live[code]
                steps = self._stories[position].steps
                self._go_on(position, steps=(*steps, Step(now, severity, page)))
            case Cleared(at=at):
                self._go_on(self._live.pop(code), cleared=at, over=now)

    def _go_on(self, position: int, **what: object) -> None:
        self._stories[position] = msgspec.structs.replace(self._stories[position], **what)


def _alarm_of(story: Story) -> Alarm:
    severity = story.steps[-1].severity if story.steps else story.severity
    return Alarm(story.rule, severity, story.raised, story.cleared, paged=story.told is not None)


def seen(alarms: Iterable[Alarm], start: int, end: int) -> list[Alarm]:
    """Those on at some time from `start` to `end`, looked at from there: what comes later is not known."""
    found = []
    for alarm in alarms:
        cleared = alarm.cleared
        if alarm.raised >= end or (cleared is not None and cleared <= start and alarm.raised < start):
            continue
        if cleared is not None and cleared >= end:
            cleared = None
        earlier = alarm.raised < start
        if earlier or cleared is not alarm.cleared:
            alarm = msgspec.structs.replace(  # noqa: PLW2901 - the same alarm, as it looks from here
                alarm, cleared=cleared, earlier=earlier, raised=max(alarm.raised, start)
            )
        found.append(alarm)
    return found
