"""Numbers that no signal enters: as CEL works them out, the same in a rule's words and on its chart."""

from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite

import cel
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from config.vocabulary import load_vocabulary
from rules.book import load_rulebook
from rules.conditions import compile_condition
from rules.expressions import parse
from rules.fixed import fixed_number
from rules.reach import survey
from rules.rule import Holds
from rules.scope import Scope
from rules.wording.conditions import condition_text
from rules.wording.names import names_of
from rules.wording.parts import as_written
from web.readings import lines_of

ASSET = {"low": -2.5, "none": 0.0, "one": 1.0, "high": 90.0}


@dataclass(frozen=True)
class Sum:
    """A calculation as it is written, what it is made of, and whether its numbers are whole."""

    source: str
    parts: tuple[str, ...]
    whole: bool


def _leaf(source: str, *, whole: bool) -> Sum:
    return Sum(source, (source,), whole)


def _joined(left: Sum, sign: str, right: Sum) -> Sum:
    source = f"({left.source} {sign} {right.source})"
    return Sum(source, (source, *left.parts, *right.parts), left.whole)


def _wrapped(inner: Sum, before: str, *, whole: bool) -> Sum:
    source = f"{before}({inner.source})"
    return Sum(source, (source, *inner.parts), whole)


def _larger(smaller: st.SearchStrategy[Sum]) -> st.SearchStrategy[Sum]:
    pairs = st.tuples(smaller, st.sampled_from("+-*/"), smaller)
    return st.one_of(
        pairs.filter(lambda pair: pair[0].whole is pair[2].whole).map(lambda pair: _joined(*pair)),
        smaller.map(lambda inner: _wrapped(inner, "-", whole=inner.whole)),
        smaller.filter(lambda inner: inner.whole).map(lambda inner: _wrapped(inner, "double", whole=False)),
    )


SUMS = st.recursive(
    st.one_of(
        st.integers(0, 9).map(lambda number: _leaf(str(number), whole=True)),
        st.integers(0, 10**18 - 1).map(lambda number: _leaf(str(number), whole=True)),
        st.floats(0, 1e300, allow_subnormal=False).map(lambda number: _leaf(repr(number), whole=False)),
        st.sampled_from(sorted(ASSET)).map(lambda name: _leaf(f"asset.{name}", whole=False)),
    ),
    _larger,
    max_leaves=8,
)


def _by_cel(source: str) -> float | None:
    """What CEL works out; None where it does not, or says that it is infinite or no number."""
    with suppress(RuntimeError, TypeError, ValueError, ArithmeticError):
        found = cel.compile(source).execute({"asset": ASSET})
        if isfinite(found):
            return float(found)
    return None


def _of(source: str, *parts: str) -> Sum:
    return Sum(source, (source, *parts), whole=True)


@given(SUMS)
@example(_of("-7 / 2"))
@example(_of("7 / -2"))
@example(_of("-7 / -2"))
@example(_of("6 / -2"))
@example(_of("7 / 0"))
@example(_of("7.0 / (1.0 - 1.0)"))
@example(_of("999999999999999999 * 9"))
@example(_of("999999999999999999 * 10"))
@example(_of("0 - 999999999999999999 * 9 - 999999999999999999"))
@example(_of("double(999999999999999999)"))
@example(_of("1e300 * 1e300"))
@example(_of("1.0 / (1e300 * 1e300)", "1e300 * 1e300"))
def test_a_fixed_number_is_what_cel_works_out(written: Sum) -> None:
    known = all(_by_cel(part) is not None for part in written.parts)
    assert fixed_number(parse(written.source), ASSET) == (_by_cel(written.source) if known else None)


@given(SUMS, st.sampled_from("+-*/"))
def test_what_a_signal_enters_is_no_fixed_number(written: Sum, sign: str) -> None:
    assume("/" not in written.source)
    for source in (f"speed {sign} {written.source}", f"{written.source} {sign} speed"):
        assert fixed_number(parse(source), ASSET) is None


@pytest.mark.parametrize(
    "source", ["true", "'7'", "asset.missing", "asset.flag", "asset.word", "asset.huge", "1 + 1.0", "7 % 2"]
)
def test_what_is_no_number_is_none(source: str) -> None:
    asset = {"flag": True, "word": "7", "huge": 10**400}
    assert fixed_number(parse(source), asset) is None


@pytest.mark.parametrize(
    ("level", "value"),
    [
        ("asset.full_percent / 1.0", 90),
        ("double(180) / 2.0", 90),
        ("double(7 / 2)", 3),
        ("100.0 - double(20 / 2)", 90),
        ("-(0.0 - asset.full_percent)", 90),
    ],
)
def test_words_chart_and_check_have_one_number(level: str, value: int) -> None:
    ruled, vocabulary = load_rulebook().for_class("bin"), load_vocabulary()
    condition = compile_condition(f"fill_percent >= {level}")
    said = condition_text(condition, names_of(vocabulary, "bin", ruled.attributes))
    assert f"at least {value} %" in said.en.replace("\u00a0", " ")
    rule = replace(ruled.rules[0], triggers=(Holds(when=condition, hold=0),))
    assert [line.value for line in lines_of([rule], "fill_percent", {}, ruled.attributes)] == [value]
    tried = survey([condition], Scope("bin", vocabulary.signals("bin"), ruled.attributes))
    usual = [world for world in tried.worlds if world.asset.get("full_percent", 90.0) == 90.0]
    true = [world for world in usual if condition.evaluate(world.signals, world.asset)]
    assert min(world.signals["fill_percent"] for world in true) == value


def test_a_number_that_does_not_exist_has_no_words_and_no_line() -> None:
    ruled, source = load_rulebook().for_class("bin"), "fill_percent >= asset.full_percent / (1.0 - 1.0)"
    condition = compile_condition(source)
    names = names_of(load_vocabulary(), "bin", ruled.attributes)
    assert condition_text(condition, names) == as_written(source)
    rule = replace(ruled.rules[0], triggers=(Holds(when=condition, hold=0),))
    assert lines_of([rule], "fill_percent", {"full_percent": 80}, ruled.attributes) == []


def test_a_level_that_is_not_worked_out_is_never_called_unreachable() -> None:
    condition = compile_condition("fill_percent > 7 % 4 && fill_percent < 4.0")
    assert condition.evaluate({"fill_percent": 3.5}, {}) is True
    tried = survey([condition], Scope("bin", load_vocabulary().signals("bin"), {}))
    assert not (tried.complete and tried.answers(condition).ever_true is None)
