"""One process's part of a replay: its devices' history through today's rules and the changed ones at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from time import process_time

import msgspec
from psycopg import AsyncConnection, IsolationLevel

from config.vocabulary import load_vocabulary
from rules.book import RuleBook, load_sources
from rules.engine import Said, Status
from rules.facts import facts_of, rules_for
from rules.moments import to_moment
from rules.renewal import marks_of
from rules.replay import store
from rules.replay.device import Alarm, DeviceReplay, seen
from rules.replay.ears import Ears
from rules.replay.reel import Reel, readers
from rules.replay.store import Subject
from rules.replay.story import CHANGED, TODAY
from rules.replay.tally import Place, Tally
from rules.rule import Offline, Rule
from rules.ruleset import RuleSet
from rules.sources import Source
from storage.pool import in_utc

# So many devices share a transaction and a cursor.
DEVICES_AT_ONCE = 200


class Part(msgspec.Struct, frozen=True):
    """What one process is asked for. `warm_from` is before `start`: from there on the rules warm up.

    `old` may be empty: then only the changed rules run, and nothing is compared with today's. `heard_since`:
    from when on it is known what was heard late and who was gone; None: never.
    """

    url: str
    old: tuple[Source, ...]
    new: tuple[Source, ...]
    devices: tuple[int, ...]
    warm_from: datetime
    start: datetime
    end: datetime
    heard_since: datetime | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far one process is: devices done, with the share of the present one, and readings so far."""

    devices: float
    readings: int


Tell = Callable[[Progress], None]


async def run_part(part: Part, tell: Tell) -> Tally:
    """Replay some devices, telling now and then how far it is."""
    began = process_time()
    books = tuple(load_sources(sources) for sources in (part.old, part.new) if sources)
    tally = Tally()
    async with await AsyncConnection.connect(in_utc(part.url)) as conn:
        await conn.set_read_only(True)
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        for first in range(0, len(part.devices), DEVICES_AT_ONCE):
            async with conn.transaction():
                some = await store.subjects(conn, part.devices[first : first + DEVICES_AT_ONCE])
                numbers = await store.signal_numbers(conn)
                crew = _Run(part, some, books, numbers, tally)
                await crew.run(conn, lambda done: tell(Progress(first + done, tally.readings)))  # noqa: B023 - called before the next
    tally.cpu_seconds = process_time() - began
    return tally


def replayed(rule: Rule, heard_since: datetime | None, end: datetime) -> bool:
    """Whether a rule can be replayed at all: one that only listens to who is gone needs that to be known."""
    knows = heard_since is not None and heard_since < end
    return knows or not all(isinstance(trigger, Offline) for trigger in rule.triggers)


def acting_rules(books: Iterable[RuleBook]) -> frozenset[str]:
    """The rules whose alarms ask for work, or keep people from other alarms."""
    rules = [rule for book in books for rule in book.rules]
    asking = {rule.code for rule in rules if rule.order is not None}
    return frozenset(asking.union(*(rule.held_by.rules for rule in rules)))


def changed_rules(old: RuleSet, new: RuleSet) -> RuleSet:
    """Of the new rules those that may give other alarms. Rules of a class do not look at each other."""
    before = {rule.code: (mark, rule.severity) for rule, mark in _marked(old)}
    changed = [rule for rule, mark in _marked(new) if before.get(rule.code) != (mark, rule.severity)]
    return RuleSet.of(new.asset_class, changed, new.attributes, new.signals)


def _marked(rules: RuleSet) -> list[tuple[Rule, str]]:
    marks = marks_of(rules)
    return [(rule, marks[rule.code]) for rule in rules.rules]


class _Run:
    """Some devices through the books."""

    def __init__(
        self,
        part: Part,
        devices: Sequence[Subject],
        books: Sequence[RuleBook],
        numbers: dict[str, int],
        tally: Tally,
    ) -> None:
        self._part = part
        self._devices = devices
        self._books = books
        self._changed: dict[str, RuleSet] = {}  # by asset class
        self._tally = tally
        vocabulary = load_vocabulary()
        by_class = {
            name: readers(vocabulary.signals(name), numbers)
            for name in {each.asset_class for each in devices}
        }
        self._known = [by_class[each.asset_class] for each in devices]
        self._signals = sorted({number for each in by_class.values() for number in each})
        self._events = sorted({code for name in by_class for code in vocabulary.events_on(name)})
        self._warm_from, self._start = to_moment(part.warm_from), to_moment(part.start)
        self._moved: dict[int, int] = {}
        self._ends = [to_moment(min(part.end, each.until or part.end)) for each in devices]
        self._replays = [self._begin(each) for each in devices]
        self._rules = [
            {rule.code: rule for rule in book.rules if replayed(rule, part.heard_since, part.end)}
            for book in books
        ]
        self._ears: list[Ears | None] = []
        self._acting = acting_rules(books)
        self._recorded: dict[int, list[Alarm]] = {}

    def _begin(self, subject: Subject) -> list[DeviceReplay]:
        """Today's rules, and of the changed book what is not the same: that gives the same again."""
        device, sets = subject.device, [rules_for(subject.device, book) for book in self._books]
        facts = [facts_of(device, rules) for rules in sets]
        if len(sets) > 1:
            if subject.asset_class not in self._changed:
                self._changed[subject.asset_class] = changed_rules(sets[0], sets[1])
            sets[1] = self._changed[subject.asset_class]
        return [DeviceReplay(rules, known) for rules, known in zip(sets, facts, strict=True)]

    async def run(self, conn: AsyncConnection, tell: Callable[[float], None]) -> None:
        part = self._part
        self._moved = await store.moved(conn, self._devices)
        await self._prick_up(conn)
        before = Reel(self._known, self._hear, self._leave_alone)
        before.feed(await store.last_before(conn, self._devices, self._signals, self._events, part.warm_from))
        before.end()
        codes = sorted({code for rules in self._rules for code in rules})
        self._recorded = await store.recorded_alarms(conn, self._devices, codes, part.start, part.end)
        reel = Reel(self._known, self._hear, self._change)
        readings, events = self._tally.readings, self._tally.events
        length = max(to_moment(part.end) - self._warm_from, 1)
        async for page in store.history(conn, self._devices, part.warm_from, part.end):
            reel.feed(page)
            self._tally.readings, self._tally.events = readings + reel.readings, events + reel.events
            tell(page[-1][0] + (to_moment(page[-1][1]) - self._warm_from) / length)
        reel.end()
        self._tally.begin(reel.first)
        tell(len(self._devices))

    async def _prick_up(self, conn: AsyncConnection) -> None:
        """Learn what was not heard as it happened, and who was gone when: of most devices nothing."""
        times = self._part.warm_from, self._part.end
        late = await store.heard_late(conn, self._devices, *times)
        statuses = await store.presence(conn, self._devices, *times)
        self._ears = [
            Ears(late.get(n, {}), statuses.get(n, ()), self._moved.get(n))
            if n in late or n in statuses
            else None
            for n in range(len(self._devices))
        ]

    def _hear(self, device: int, said: Said) -> None:
        ears = self._ears[device]
        if ears is None:
            if said.at >= self._moved.get(device, 0):
                self._take(device, said)
            return
        for given in ears.take(said):
            self._take(device, given)

    def _take(self, device: int, given: Said | Status) -> None:
        if given.received < self._ends[device]:
            for replay in self._replays[device]:
                replay.take(given)

    def _leave_alone(self, ended: int, begun: int) -> None:
        """What was before does not end a device."""

    def _change(self, ended: int, begun: int) -> None:
        """Finish the devices up to the one that begins: those without a word in all the time, too."""
        for device in range(max(ended, 0), begun):
            if self._replays[device]:
                self._finish(device)

    def _finish(self, device: int) -> None:
        subject, left, ears = self._devices[device], self._ends[device], self._ears[device]
        end = to_moment(self._part.end)
        if ears is not None:
            for given in ears.rest():
                self._take(device, given)
        sides: list[list[Alarm]] = []
        for replay, rules in zip(self._replays[device], self._rules, strict=True):
            replay.sleep(left)
            if left < end:
                replay.leave(left)
            sides.append([each for each in replay.alarms(self._start, end) if each.rule in rules])
        lives = [replay.stories for replay in self._replays[device]]
        self._replays[device] = []  # its memory is not needed any longer
        old = new = sides[0]
        again: Mapping[str, int] = {}
        if len(sides) > 1:
            again = self._changed[subject.asset_class].index
            new = sides[1] + [each for each in old if each.rule in self._rules[1] and each.rule not in again]
        books = (self._rules[0], self._rules[-1])
        recorded = seen(self._recorded.get(subject.device_id, ()), self._start, end)
        place = Place(subject.community_id, subject.device_id, subject.area_id)
        self._tally.devices += 1
        self._tally.note(place, old, new, recorded, books)
        for side, stories in enumerate(lives):
            for story in stories:
                if story.rule in self._acting and (by := self._sides(side, story.rule, again)):
                    self._tally.keep(msgspec.structs.replace(story, device_id=subject.device_id, sides=by))

    def _sides(self, side: int, code: str, again: Mapping[str, int]) -> int:
        """By which rules an alarm of one replay is there: a rule that is the same ran only once."""
        if code not in self._rules[side]:
            return 0
        if side:
            return CHANGED
        both = code in self._rules[-1] and code not in again
        return TODAY | CHANGED if both else TODAY
