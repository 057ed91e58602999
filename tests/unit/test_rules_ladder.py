"""Ladders and flapping against references that go second by second, and clocks that never stand still."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import load_rulebook
from rules.effects import Stepped
from rules.engine import Facts, Input, Said, Status, Tick, next_due, step
from rules.moments import MINUTE, SECOND
from rules.rule import Flapping, Happens, Holds, Rung
from rules.scenario import START_MOMENT, Rehearsal
from rules.state import DeviceState, dump_state, load_state
from tests.unit.rule_parts import a_rule, a_set, when

LANGUAGE = Path(__file__).parent / "stories" / "rules.yaml"
LONG = 100


_levels = st.sampled_from([10.0, 70.0, 85.0, 99.0])
_timelines = st.lists(st.tuples(st.integers(1, 6), _levels), min_size=1, max_size=20)


class Reference:
    """The ladder of the test from its definition, asked second by second."""

    def __init__(self) -> None:
        self.alarms: list[list[tuple[int, str]]] = []
        self._live: int | None = None
        self._severity = "minor"
        self._over: int | None = None  # since when it has been at 95 or more
        self._under: int | None = None
        self._critical = False

    def hear(self, second: int, level: float) -> None:
        if self._live is None and level >= 80.0:
            self._live, self._severity, self._critical = second, "minor", False
            self._over = self._under = None
            self.alarms.append([])
        if self._live is not None and level < 60.0:
            self._live = None
            self.alarms[-1].append((second, "cleared"))
        if level >= 95.0:
            self._over, self._under = second if self._over is None else self._over, None
        else:
            self._over, self._under = None, second if self._under is None else self._under

    def pass_(self, second: int) -> None:
        if self._live is None:
            return
        if self._critical:
            self._critical = self._under is None or second < self._under + 4
        else:
            self._critical = self._over is not None and second >= self._over + 3
        now = "critical" if self._critical else "major" if second >= self._live + 5 else "minor"
        if now != self._severity:
            self._severity = now
            self.alarms[-1].append((second, now))


@given(_timelines)
@settings(max_examples=200)
def test_a_ladder_is_as_the_reference_says(gaps: list[tuple[int, float]]) -> None:
    """Need 7: severity steps down in time, at the moment it says."""
    ladder = (
        Rung("major", after=5 * SECOND),
        Rung("critical", when("fill_percent >= 95.0"), hold=3 * SECOND, down_after=4 * SECOND),
    )
    rule = a_rule(Holds(when("fill_percent >= 80.0")), clear="fill_percent < 60.0", ladder=ladder)
    site = Rehearsal(a_set(rule), Facts())
    timeline, at = [], 0
    for gap, level in gaps:
        at += gap
        timeline.append((at, level))
        site.sleep(START_MOMENT + at * SECOND)
        site.take(Said(START_MOMENT + at * SECOND, START_MOMENT + at * SECOND, {"fill_percent": level}))
    site.sleep(START_MOMENT + (at + 20) * SECOND)
    reference, said = Reference(), dict(timeline)
    for second in range(at + 21):
        reference.pass_(second)  # a timer goes before a reading
        if second in said:
            reference.hear(second, said[second])
            reference.pass_(second)
    found = [
        [(moment // SECOND, severity) for moment, severity in alarm.steps]
        + ([] if alarm.cleared is None else [(alarm.cleared // SECOND, "cleared")])
        for alarm in site.alarms
    ]
    assert found == reference.alarms


def test_steps_that_one_reading_confirms_come_in_the_order_of_their_times() -> None:
    """Need 7: what held for long enough before the next rung by time is not told after it."""
    ladder = (
        Rung("major", after=10 * MINUTE),
        Rung("critical", when("fill_percent >= 95.0"), hold=3 * MINUTE, down_after=20 * MINUTE),
    )
    rules = a_set(a_rule(Holds(when("fill_percent >= 80.0")), clear="fill_percent < 60.0", ladder=ladder))
    state, found = DeviceState(), list[tuple[int, str]]()
    for minutes, level in ((0, 85.0), (2, 99.0), (15, 99.0)):
        moment = START_MOMENT + minutes * MINUTE
        state, effects = step(rules, state, Said(moment, moment, {"fill_percent": level}), Facts())
        found += [(e.at, e.severity) for e in effects if isinstance(e, Stepped)]
    assert found == [(START_MOMENT + 5 * MINUTE, "critical")]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(2, 4), st.integers(1, 20))
def test_flapping_is_as_the_reference_says(gaps: list[int], times: int, quiet: int) -> None:
    """Every gap an event raises, and one that clears comes a second later."""
    within = 60
    rule = a_rule(
        Happens(frozenset({"fire_alarm"})),
        clear_on=frozenset({"cover_closed"}),
        flapping=Flapping(times, within * SECOND, quiet * SECOND),
    )
    site = Rehearsal(a_set(rule), Facts())
    expected: list[tuple[int, int]] = []
    begun: list[int] = []
    flapping_until: int | None = None
    at = 0
    for gap in gaps:
        at += gap + 1
        for code, second in (("fire_alarm", at), ("cover_closed", at + 1)):
            moment = START_MOMENT + second * SECOND
            site.sleep(moment)
            site.take(Said(moment, moment, events={code: ""}))
        begun = [each for each in [*begun, at] if each > at - within]
        if flapping_until is not None and at < flapping_until:
            flapping_until = at + 1 + quiet
            expected[-1] = (expected[-1][0], flapping_until)
            continue
        flapping_until = at + 1 + quiet if len(begun) > times else None
        expected.append((at, at + 1 if flapping_until is None else flapping_until))
    site.sleep(START_MOMENT + (at + LONG) * SECOND)
    assert [(each.raised // SECOND, (each.cleared or 0) // SECOND) for each in site.alarms] == expected


_said = st.one_of(
    st.builds(
        lambda level, temperature: ("readings", {"fill_percent": level, "temperature_c": temperature}),
        _levels,
        st.sampled_from([0.0, 20.0, 50.0]),
    ),
    st.sampled_from(["fire_alarm", "cover_open"]).map(lambda code: ("event", code)),
    st.booleans().map(lambda online: ("online", online)),
    st.just(("tick", None)),
)


@given(
    st.lists(st.tuples(st.integers(0, 45), st.integers(0, 90), _said), min_size=1, max_size=30),
)
@settings(max_examples=200)
def test_a_woken_device_waits_for_a_later_moment_and_its_memory_travels(
    timeline: list[tuple[int, int, tuple[str, object]]],
) -> None:
    """Need 1: timers survive a restart; and no moment is waited for twice, or the worker would spin."""
    rules, state, now = load_rulebook([LANGUAGE]).for_class("bin"), DeviceState(), START_MOMENT
    facts = Facts(rules.asset({}), stale_after=None, zone="Asia/Shanghai")
    for gap, late, (what, value) in timeline:
        now += gap * MINUTE
        given_: Input
        match what:
            case "readings":
                given_ = Said(now - late * MINUTE, now, value)  # type: ignore[arg-type] # as built above
            case "event":
                given_ = Said(now - late * MINUTE, now, events={str(value): ""})
            case "online":
                given_ = Status(now, online=bool(value))
            case _:
                given_ = Tick(now)
        state, _ = step(rules, state, given_, facts)
        assert load_state(dump_state(state)) == state
        state, _ = step(rules, state, Tick(now), facts)
        due = next_due(rules, state, facts)
        assert due is None or due > now
