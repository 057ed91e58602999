"""The quick answer to "when next?" is the thorough one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rules.book import load_rulebook
from rules.engine import Facts, next_due
from rules.moments import HOUR
from rules.state import DeviceState

CLASSES = sorted(load_rulebook().sets)


@given(
    asset_class=st.sampled_from(CLASSES),
    heard=st.none() | st.integers(0, 10 * HOUR),
    stale_after=st.none() | st.integers(1, HOUR),
    online=st.none() | st.booleans(),
)
def test_when_no_rule_remembers_anything(
    asset_class: str, heard: int | None, stale_after: int | None, *, online: bool | None
) -> None:
    rules = load_rulebook().for_class(asset_class)
    state, facts = DeviceState(heard=heard, online=online), Facts({}, stale_after)
    assert next_due(rules, state, facts) == next_due(replace(rules, plainly_silent=None), state, facts)


def test_the_shipped_rules_are_asked_both_ways() -> None:
    plain = {each for each in CLASSES if load_rulebook().for_class(each).plainly_silent is not None}
    assert plain
    assert plain != set(CLASSES)
