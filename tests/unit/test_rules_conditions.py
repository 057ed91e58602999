"""Conditions: three answers, and the shortcut says what CEL says."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.vocabulary import load_vocabulary
from rules.conditions import Value, compile_condition
from rules.expressions import ExpressionError
from rules.measures import plain_names
from rules.scope import Scope
from rules.type_check import check_types

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNALS = load_vocabulary().signals("elevator")
SCOPE = Scope("elevator", SIGNALS, {}, events=("mains_lost",))
NUMBERS = ("speed_m_s", "floor")
BOOLEANS = ("door_closed", "power_on")
MODES = ("normal", "inspection", "stopped")

MEASURES = ("rate(speed_m_s, 1h)", "mean(floor, 90m)", "forecast(floor, 2d)")

_literals = st.sampled_from(["0.0", "1.5", "3.0", "-2.0"])
_numbers = st.recursive(
    st.one_of(st.sampled_from(NUMBERS), st.sampled_from(MEASURES), _literals),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner),
    max_leaves=3,
)
_comparisons = st.builds(
    "({} {} {})".format, _numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _numbers
)
_modes = st.one_of(
    st.builds("(service_mode {} '{}')".format, st.sampled_from(["==", "!="]), st.sampled_from(MODES)),
    st.just("(service_mode in ['normal', 'stopped'])"),
    st.builds(
        "(since(mains_lost) {} {})".format, st.sampled_from(["<", ">="]), st.sampled_from(["90s", "1h30m"])
    ),
)
_conditions = st.recursive(
    st.one_of(_comparisons, _modes, st.sampled_from(BOOLEANS)),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||", "==", "!="]), inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)
_values = st.fixed_dictionaries(
    {},
    optional={
        "speed_m_s": st.sampled_from([0.0, 1.5, 2.0]),
        "floor": st.sampled_from([-2.0, 0.0, 3.0]),
        "door_closed": st.booleans(),
        "power_on": st.booleans(),
        "service_mode": st.sampled_from(MODES),
        "rate(speed_m_s, 1h)": st.sampled_from([0.0, -2.0]),
        "mean(floor, 1h30m)": st.sampled_from([0.0, 3.0]),
        "since(mains_lost)": st.sampled_from([0.0, 90.0, 5400.0]),
    },
)


@given(_conditions, _values)
def test_the_shortcut_says_what_cel_says(source: str, values: "Mapping[str, Value]") -> None:
    condition = compile_condition(source)
    assert check_types(condition.tree, SCOPE) == []
    assert condition.quick is not None
    assert condition.evaluate(values, {}) == condition.ask_cel(values, {})


@given(_conditions)
def test_the_tree_knows_the_names_that_cel_finds(source: str) -> None:
    condition = compile_condition(source)
    found = {condition.variables.get(name, name) for name in condition.program.variables()}
    assert found == plain_names(condition.tree)


@pytest.mark.parametrize(
    ("source", "values", "answer"),
    [
        ("fill_percent > 90.0", {}, None),
        ("fill_percent > 90.0", {"fill_percent": 91.0}, True),
        ("fill_percent > 90.0 && tilted", {"fill_percent": 91.0}, None),
        ("fill_percent > 90.0 && tilted", {"fill_percent": 1.0}, False),
        ("tilted && fill_percent > 90.0", {"fill_percent": 1.0}, False),
        ("fill_percent > 90.0 || tilted", {"fill_percent": 91.0}, True),
        ("tilted || fill_percent > 90.0", {"fill_percent": 91.0}, True),
        ("tilted || fill_percent > 90.0", {"fill_percent": 9.0}, None),
        ("!tilted", {}, None),
        ("1.0 / fill_percent > 2.0", {"fill_percent": 0.0}, True),
    ],
)
def test_what_was_not_heard_is_unknown(
    source: str,
    values: dict[str, Value],
    answer: bool | None,  # noqa: FBT001 - a value to compare with
) -> None:
    assert compile_condition(source).evaluate(values, {}) is answer


def test_an_event_is_seen_by_its_code_and_detail() -> None:
    condition = compile_condition("event.code == 'cover_open' && event.detail.startsWith('left')")
    assert condition.event_fields == ("code", "detail")
    assert condition.evaluate({}, {}, {"code": "cover_open", "detail": "left side"}) is True
    assert condition.evaluate({}, {}, {"code": "cover_open", "detail": "right"}) is False


def refusal(source: str) -> ExpressionError | None:
    try:
        compile_condition(source)
    except ExpressionError as refused:
        return refused
    return None


@given(st.text(max_size=40))
def test_any_text_is_taken_or_refused_with_a_place(source: str) -> None:
    refused = refusal(source)
    assert refused is None or 0 <= refused.offset <= len(source)


@given(st.text(alphabet="ab.&|!()[]?:<>=1+-*/%'\", ", max_size=30))
def test_what_looks_like_a_condition_is_taken_or_refused_with_a_place(source: str) -> None:
    refused = refusal(source)
    assert refused is None or 0 <= refused.offset <= len(source)
