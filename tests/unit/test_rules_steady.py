"""What the engine does not step comes to the same as if it had."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules import engine
from rules.book import load_rulebook
from rules.conditions import Value
from rules.effects import Effect
from rules.engine import Facts, Said, Tick, next_due, step
from rules.moments import HOUR, MINUTE, SECOND
from rules.rule import Flapping, Happens, Holds
from rules.ruleset import RuleSet
from rules.scenario import START_MOMENT
from rules.state import DeviceState
from rules.steady import goes_on
from tests.unit.rule_parts import a_rule, a_set, when

MADE = a_set(
    a_rule(Holds(when("fill_percent > 60.0")), code="by_itself"),
    a_rule(
        Holds(when("fill_percent > 60.0")),
        Holds(when("temperature_c > 40.0"), hold=5 * MINUTE),
        code="either",
    ),
    a_rule(
        Holds(when("fill_percent > 60.0"), times=2, within=HOUR), code="again", clear="fill_percent < 20.0"
    ),
    a_rule(Holds(when("fill_percent > 60.0"), unless=when("tilted")), code="upright"),
    a_rule(Holds(when("tilted")), Happens(frozenset({"tilt_alarm"})), code="fallen", clear="!tilted"),
    a_rule(Holds(when("fill_percent > 60.0")), code="later", clear="temperature_c < 10.0", keep=5 * MINUTE),
    a_rule(Holds(when("fill_percent > 60.0")), code="quiet", clear_after=10 * MINUTE),
    a_rule(
        Holds(when("fill_percent > 60.0")),
        code="flaps",
        flapping=Flapping(times=2, within=HOUR, quiet=10 * MINUTE),
    ),
)
SETS = (MADE, load_rulebook().for_class("bin"))

_said = st.tuples(
    st.sampled_from([1, 20, 70, 400, 8000, 90_000]),  # seconds that pass
    st.sampled_from([0, 0, 0, 300, 4000]),  # how late it is heard
    st.fixed_dictionaries(
        {},
        optional={
            "fill_percent": st.sampled_from([0.0, 30.0, 70.0, 80.0, 95.0]),
            "temperature_c": st.sampled_from([5.0, 20.0, 50.0, 70.0]),
            "tilted": st.booleans(),
            "battery_percent": st.sampled_from([10.0, 20.0, 90.0]),
        },
    ),
    st.sets(st.sampled_from(["tilt_alarm", "low_battery"]), max_size=1),
)
_Said = tuple[int, int, Mapping[str, Value], set[str]]
_Trace = list[tuple[DeviceState, int | None, list[Effect]]]


def traced(rules: RuleSet, said: list[_Said]) -> _Trace:
    """Every state, when next to look, and what was told; our clock looks whenever it should."""
    trace: _Trace = []
    state, now, facts = DeviceState(), START_MOMENT, Facts(rules.asset({}), stale_after=25 * HOUR)
    for seconds, late, values, events in said:
        now += seconds * SECOND
        due = next_due(rules, state, facts)
        if due is not None and due <= now:
            state, effects = step(rules, state, Tick(due), facts)
            trace.append((state, due, effects))
        given_input = Said(now - late * SECOND, now, values, dict.fromkeys(events, ""))
        state, effects = step(rules, state, given_input, facts)
        trace.append((state, next_due(rules, state, facts), effects))
    return trace


@pytest.mark.parametrize("rules", SETS, ids=["made", "shipped"])
@given(st.lists(_said, max_size=30))
@example([(1, 0, {"fill_percent": 95.0}, set()), (90_000, 0, {"fill_percent": 95.0}, set())] * 3)
@settings(max_examples=150)
def test_what_is_left_out_would_have_changed_nothing(rules: RuleSet, said: list[_Said]) -> None:
    quick = traced(rules, said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "goes_on", lambda *_: False)
        patch.setattr(engine, "waits", lambda *_: True)
        assert quick == traced(rules, said)


def test_an_alarm_that_goes_on_is_left_alone() -> None:
    """Else the test above would compare the long way with itself."""
    said: list[_Said] = [(400, 0, {"fill_percent": 95.0}, set())] * 5
    asked: list[bool] = []

    def watched(*given_plan: object) -> bool:
        asked.append(goes_on(*given_plan))  # type: ignore[arg-type]
        return asked[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "goes_on", watched)
        traced(SETS[1], said)
    assert True in asked
    assert False in asked
