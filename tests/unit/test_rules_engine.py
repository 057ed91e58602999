"""What always holds of the engine, whatever devices say, in whatever order, and whenever the clock looks."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import load_rulebook
from rules.conditions import Value
from rules.effects import Cleared, Effect, Flapped, Paged, Raised
from rules.engine import Facts, Input, Said, Status, Tick, next_due, step
from rules.moments import HOUR, MINUTE, SECOND
from rules.rule import Happens, Holds, Offline, Silent
from rules.ruleset import RuleSet
from rules.scenario import START_MOMENT as START
from rules.state import DeviceState, NewerState, dump_state, load_state
from tests.unit.rule_parts import a_rule, a_set, when

ELEVATOR = load_rulebook().for_class("elevator")
FACTS = Facts(ELEVATOR.asset({}), stale_after=10 * MINUTE)
EVENTS = ("passenger_entrapment", "door_close_fault", "door_open_fault", "automatic_restored", "mains_lost")

_readings: st.SearchStrategy[Mapping[str, Value]] = st.fixed_dictionaries(
    {},
    optional={
        "passenger_present": st.booleans(),
        "in_door_zone": st.booleans(),
        "door_closed": st.booleans(),
        "power_on": st.booleans(),
        "speed_m_s": st.sampled_from([0.0, 1.5, 9.0]),
        "door_vibration_db": st.sampled_from([5.0, 22.0, 40.0]),
        "service_mode": st.sampled_from(["normal", "inspection"]),
    },
)


@dataclass(frozen=True)
class _Beat:
    """Seconds that pass, then what is heard: of a moment before, or of now."""

    seconds: int
    readings: Mapping[str, Value]
    events: tuple[str, ...]
    late: int
    online: bool | None
    look: bool


_beats = st.lists(
    st.builds(
        _Beat,
        seconds=st.sampled_from([0, 1, 20, 70, 200, 900, 8000]),
        readings=_readings,
        events=st.lists(st.sampled_from(EVENTS), max_size=2, unique=True).map(tuple),
        late=st.sampled_from([0, 0, 0, 5, 300, 4000]),
        online=st.sampled_from([None, None, None, True, False]),
        look=st.booleans(),
    ),
    max_size=25,
)


def _inputs(beats: list[_Beat]) -> list[Input]:
    found: list[Input] = []
    now = START
    for beat in beats:
        now += beat.seconds * SECOND
        if beat.look:
            found.append(Tick(now))
        if beat.online is not None:
            found.append(Status(now, beat.online))
        found.append(Said(now - beat.late * SECOND, now, beat.readings, dict.fromkeys(beat.events, "")))
    return found


@given(_beats)
def test_alarms_are_told_whole_and_in_order(beats: list[_Beat]) -> None:
    live: dict[str, Raised] = {}
    told: set[str] = set()
    state = DeviceState()
    for given_input in _inputs(beats):
        state, effects = step(ELEVATOR, state, given_input, FACTS)
        for effect in effects:
            code = effect.rule.code
            match effect:
                case Raised():
                    assert code not in live
                    live[code] = effect
                    if effect.page:
                        told.add(code)
                case Paged():
                    assert code in live
                    assert code not in told
                    told.add(code)
                case Cleared():
                    assert effect.at >= live.pop(code).at
                    told.discard(code)
        assert {code for code, memory in state.rules.items() if memory.raised is not None} == set(live)


@given(_beats)
def test_what_was_heard_twice_changes_nothing(beats: list[_Beat]) -> None:
    state = DeviceState()
    heard: list[Input] = []
    for given_input in _inputs(beats):
        state, _ = step(ELEVATOR, state, given_input, FACTS)
        heard += [given_input] if isinstance(given_input, Said) else []
        for earlier in heard[-5:]:
            again, effects = step(ELEVATOR, state, earlier, FACTS)
            assert again is state
            assert effects == []


@given(_beats)
def test_memory_may_travel_between_any_two_steps(beats: list[_Beat]) -> None:
    here, there = DeviceState(), dump_state(DeviceState())
    for given_input in _inputs(beats):
        before = dump_state(here)
        here, effects = step(ELEVATOR, here, given_input, FACTS)
        moved, same = step(ELEVATOR, load_state(there), given_input, FACTS)
        assert same == effects
        assert moved == here
        assert load_state(before) == load_state(there)
        there = dump_state(moved)


@given(_beats)
@settings(max_examples=60)
def test_looking_at_the_clock_settles_everything_due(beats: list[_Beat]) -> None:
    state = DeviceState()
    for given_input in _inputs(beats):
        state, _ = step(ELEVATOR, state, given_input, FACTS)
        if isinstance(given_input, Tick):
            due = next_due(ELEVATOR, state, FACTS)
            assert due is None or due > given_input.now
            assert step(ELEVATOR, state, given_input, FACTS) == (state, [])


@given(_beats, st.integers(0, 4000))
@settings(max_examples=60)
def test_nothing_happens_before_it_is_due(beats: list[_Beat], share: int) -> None:
    state = DeviceState()
    for given_input in _inputs(beats):
        state, _ = step(ELEVATOR, state, given_input, FACTS)
    due = next_due(ELEVATOR, state, FACTS)
    if due is None:
        assert step(ELEVATOR, state, Tick(START + 9000 * HOUR), FACTS) == (state, [])
    else:
        assert step(ELEVATOR, state, Tick(due - 1 - share * SECOND), FACTS) == (state, [])


def run(rules: RuleSet, *given_inputs: Input, facts: Facts | None = None) -> list[Effect]:
    """All effects of some inputs."""
    state, found = DeviceState(), list[Effect]()
    for each in given_inputs:
        state, effects = step(rules, state, each, facts or Facts())
        found += effects
    return found


def said(minute: float, heard: float | None = None, **values: Value) -> Said:
    return Said(at(minute), at(minute if heard is None else heard), values)


def happened(minute: float, *codes: str, heard: float | None = None) -> Said:
    return Said(at(minute), at(minute if heard is None else heard), events=dict.fromkeys(codes, ""))


def at(minute: float) -> int:
    return START + round(minute * MINUTE)


def shown(effects: list[Effect]) -> list[tuple[str, float]]:
    """Kind and minute of each effect."""
    moments = [effect.wall if isinstance(effect, Paged | Flapped) else effect.at for effect in effects]
    return [
        (type(effect).__name__, (moment - START) / MINUTE)
        for effect, moment in zip(effects, moments, strict=True)
    ]


FULL = a_set(a_rule(Holds(when("fill_percent >= 90.0"), 5 * MINUTE)))


def test_a_backlog_raises_by_its_own_time() -> None:
    effects = run(FULL, said(0, 60, fill_percent=95.0), said(6, 60, fill_percent=96.0))
    assert shown(effects) == [("Raised", 5)]
    assert isinstance(effects[0], Raised)
    assert not effects[0].page


def test_a_reading_of_another_signal_confirms_that_time_has_passed() -> None:
    rules = a_set(
        a_rule(Holds(when("tilted"), 5 * MINUTE)), a_rule(Holds(when("fill_percent > 99.0")), code="b")
    )
    assert shown(run(rules, said(0, tilted=True), said(6, fill_percent=1.0))) == [("Raised", 5)]


def test_a_slow_clock_of_a_device_does_not_raise_early() -> None:
    """A timer counts from when we knew: the device's clock is ten minutes behind."""
    inputs = (said(0, 10, fill_percent=95.0), Tick(at(14)), said(4.5, 14.5, fill_percent=5.0))
    assert run(FULL, *inputs) == []


def test_a_clear_is_never_before_its_raise() -> None:
    """The clock raised at minute 5; then a reading of minute 4 arrives that had been on its way."""
    effects = run(FULL, said(0, fill_percent=95.0), Tick(at(5)), said(4, 6, fill_percent=5.0))
    assert shown(effects) == [("Raised", 5), ("Cleared", 5)]


def test_a_clear_of_something_pending_drops_it() -> None:
    assert run(FULL, said(0, fill_percent=95.0), said(3, fill_percent=5.0), Tick(at(9))) == []


def test_a_condition_of_two_signals_holds_from_when_both_were_so() -> None:
    rules = a_set(a_rule(Holds(when("fill_percent >= 90.0 && tilted"))))
    effects = run(rules, said(5, fill_percent=95.0), said(3, 5.5, tilted=True))
    assert shown(effects) == [("Raised", 5)]


def test_an_event_beats_a_reading_that_is_not_newer() -> None:
    rules = a_set(a_rule(Happens(frozenset({"fire_alarm"})), clear="temperature_c < 50.0"))
    together = Said(at(0), at(0), {"temperature_c": 20.0}, {"fire_alarm": "smoke"})
    assert shown(run(rules, together)) == [("Raised", 0)]
    assert shown(run(rules, happened(0, "fire_alarm"), said(0, temperature_c=20.0))) == [("Raised", 0)]
    assert shown(run(rules, happened(0, "fire_alarm"), said(1, temperature_c=20.0))) == [
        ("Raised", 0),
        ("Cleared", 1),
    ]


def test_facts_are_what_was_known_when_it_was_raised() -> None:
    rules = a_set(a_rule(Happens(frozenset({"fire_alarm"})), clear="temperature_c < 50.0"))
    (raised,) = run(rules, Said(at(0), at(0), {"temperature_c": 71.5}, {"fire_alarm": "smoke"}))
    assert isinstance(raised, Raised)
    assert raised.facts == {"temperature_c": 71.5, "event": "fire_alarm", "detail": "smoke"}


def test_an_event_condition_chooses_among_events() -> None:
    trigger = Happens(frozenset({"cover_open"}), when("event.detail == 'forced'"))
    rules = a_set(a_rule(trigger, clear_after=HOUR))
    assert run(rules, happened(0, "cover_open")) == []
    (raised,) = run(rules, Said(at(0), at(0), events={"cover_open": "forced"}))
    assert isinstance(raised, Raised)


def test_a_condition_that_comes_again_and_again_is_counted() -> None:
    trigger = Holds(when("tilted"), times=3, within=10 * MINUTE)
    rules = a_set(a_rule(trigger, clear_after=30 * MINUTE))
    swings = [said(minute, tilted=minute % 2 == 1) for minute in range(1, 7)]
    assert shown(run(rules, *swings)) == [("Raised", 5)]
    slow = [said(minute * 6, tilted=minute % 2 == 1) for minute in range(1, 9)]
    assert run(rules, *slow) == []


def test_silence_ends_nothing_else_and_itself_ends_when_heard() -> None:
    rules = a_set(a_rule(Silent(), code="silent"), a_rule(Holds(when("tilted")), code="tilted"))
    facts = Facts(stale_after=HOUR)
    effects = run(rules, said(0, tilted=True), Tick(at(60)), said(90, tilted=True), facts=facts)
    assert shown(effects) == [("Raised", 0), ("Raised", 60), ("Cleared", 90)]
    assert isinstance(effects[1], Raised)
    assert effects[1].facts == {"last_heard": "2026-11-23T08:00:00+00:00"}


def test_a_device_of_a_profile_that_expects_nothing_is_never_silent() -> None:
    rules = a_set(a_rule(Silent()))
    state, _ = step(rules, DeviceState(), said(0, fill_percent=1.0), Facts())
    assert next_due(rules, state, Facts()) is None


def test_speaking_proves_that_a_device_is_there() -> None:
    rules = a_set(a_rule(Offline(2 * MINUTE)), a_rule(Holds(when("tilted")), code="tilted"))
    gone = Status(at(1), online=False)
    assert shown(run(rules, gone, Tick(at(3)), said(5, tilted=False))) == [("Raised", 3), ("Cleared", 5)]
    on_its_way = said(0.5, 3.5, tilted=False)
    assert shown(run(rules, gone, Tick(at(3)), on_its_way)) == [("Raised", 3)]
    assert run(rules, gone, Status(at(2), online=True), Tick(at(9))) == []


def test_a_device_whose_clock_is_ahead_is_back_when_it_is_heard_and_may_go_again_at_once() -> None:
    rules = a_set(a_rule(Offline(2 * MINUTE)))
    told = run(
        rules,
        Status(at(1), online=False),
        Tick(at(3)),
        said(9, 5, tilted=False),  # it says 9, and is heard at 5
        Status(at(6), online=False),
        Tick(at(8)),
    )
    assert shown(told) == [("Raised", 3), ("Cleared", 5), ("Raised", 8)]


def test_a_status_that_the_broker_repeats_is_no_news() -> None:
    rules = a_set(a_rule(Offline(2 * MINUTE)), a_rule(Holds(when("tilted")), code="tilted"))
    repeated = Status(at(6), online=False, retained=True)
    assert shown(run(rules, repeated, Tick(at(9)))) == [("Raised", 8)]
    assert run(rules, said(5, tilted=False), repeated, Tick(at(9))) == []
    assert run(rules, Status(at(5), online=True), repeated, Tick(at(9))) == []
    gone = Status(at(1), online=False)
    assert run(rules, gone, said(2, tilted=False), repeated, Tick(at(9))) == []


def test_what_a_rule_no_longer_in_the_book_remembers_is_forgotten() -> None:
    state, _ = step(FULL, DeviceState(), said(0, fill_percent=95.0), Facts())
    other = a_set(a_rule(Holds(when("fill_percent >= 50.0")), code="other"))
    after, effects = step(other, state, said(1, fill_percent=60.0), Facts())
    assert shown(effects) == [("Raised", 1)]
    assert list(after.rules) == ["other"]


def test_a_newer_memory_is_refused_and_an_empty_one_is_new() -> None:
    assert load_state("{}") == DeviceState()
    with pytest.raises(NewerState, match="version 3"):
        load_state('{"v": 3, "signals": []}')
