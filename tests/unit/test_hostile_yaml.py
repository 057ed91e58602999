"""Whatever stands in a YAML file of ours, its loader takes it or refuses it in its own words."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.community.load import check_community
from clerestory.community.mistakes import MistakesFound
from config.duration import parse_duration
from config.plain_yaml import NotYaml, parse
from config.profile_files import ProfileFileError, read_profile
from rules.book import load_rulebook
from rules.document import RuleFileError
from rules.scenario_file import read_scenarios
from tests.unit.test_community_mistakes import RIGHT
from tests.unit.test_profile_files import GOOD

RULES: Final = """\
asset_class: bin
attributes:
  lim: { type: number, default: 50, minimum: 10, maximum: 90, label: { zh: 限, en: Lim } }
flapping: { times: 4, within: 2h }
rules:
  tried:
    severity: minor
    when: mean(fill_percent, 1h) > asset.lim
    for: 5m
    clear: mean(fill_percent, 1h) < 5.0
    title: { zh: 一, en: One }
    meaning: { zh: 一, en: One }
    todo: { zh: [一], en: [one] }
    safety: { zh: 一, en: one }
    order: { kind: bin_emptying, skill: cleaning, respond: 1h, cancel_on_clear: true }
"""
SCENARIOS: Final = """\
scenarios:
  - name: one
    start: 2026-11-23 08:00
    device: { profile: bin-native, attributes: { full_percent: 90 } }
    timeline:
      - { at: 0s, readings: { fill_percent: 95 } }
      - { at: 10m, every: 10m, to: 2h, readings: { fill_percent: 96 } }
    until: 3h
    expect:
      - { rule: bin_overflow, raised: 5m, paged: 5m, cleared: never }
"""
COMMUNITY: Final = (
    RIGHT
    + """\
parties: [{code: p1, name: 甲, occupancies: [{unit: B1-101, role: owner, from: 2026-01-01}]}]
plans:
  - {code: round, name: {zh: 巡, en: Round}, kind: elevator_round, skill: elevator, asset_class: elevator,
     every_days: 14, at: "09:00", starts_on: 2026-10-01}
charge_items:
  - {code: fee, name: {zh: 费, en: Fee}, basis: area, price_yuan: 2.5, contract: c1, from: 2026-01-01}
"""
)
HOSTILE: Final = [
    "99999999999999d", "12345678901234567890123h", "9" * 5_000 + "s", "-5m", "2020-02-30",
    "2020-13-01 25:61:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "!!int foo",
    "!!float foo", "!!float nan", "!!float inf", "!!bool foo", "!!null foo", "!!timestamp foo",
    "!!binary '*'", "!!binary AAA=",
    "!!set {a, b}", "!!set [a]", "!!omap [a: 1, a: 2]", "!!omap a", "!!pairs [a]", "!!pairs {a: 1}",
    "!!seq a", "!!map a", "!!str [a]", "!!int [1]", "!!merge a", "!mine a", "!mine {a: 1}",
    "!!python/object/apply:os.system [id]", "9" * 5_000, "-" + "9" * 4_000, "1e400", "-1e400", ".inf",
    "-.inf", ".nan", "0x" + "f" * 4_000, "0b1", "0o7", "0o9", "1_000", "190:20:30", "1e-400", '"\\0"',
    '"a\\0b"', '"\\uD800"', '"\\x85"', '"\\uFFFE"', '"\\v"', "~", "yes", "on", "''", "[]", "{}",
    "[[[]]]", "{a: {b: c}}", "[~]", "{? [a] : b}", "{? {a: 1} : b}", "&x [*x]", "&x {a: *x}", "*nothing",
    "{<<: {a: 1}}", "{<<: a}", "{<<: [a]}", "{1: 2, 2.5: 3, true: 4, ~: 5, 2020-01-01: 6}", "%", "@",
    "`", "|", ">\n", "'{n}'", "'{}'", "'{code}'", "'" + "a" * 10_000 + "'",
    "[" * 300 + "]" * 300, "{a: 1, a: 2}", "'\ud800'", "\x00", "\x7f", "\ufffe",
]  # fmt: skip
SCALARS: Final = st.sampled_from(HOSTILE) | st.text(max_size=12) | st.integers().map(str)


def spots(text: str) -> list[tuple[int, int]]:
    """Where the keys and values of a file are written: each may be anything else."""
    found = [match.span(1) for match in re.finditer(r"(?:[:,\[{]|^) *([^\s:,\[\]{}]+)", text, re.MULTILINE)]
    return [span for span in found if text[slice(*span)] != "-"]


def altered(text: str, count: int, draw: Callable[[st.SearchStrategy[str]], str]) -> str:
    """A file with some of its keys and values replaced."""
    places = draw_many(spots(text), count, draw)
    for start, end in sorted(places, reverse=True):
        text = text[:start] + draw(SCALARS) + text[end:]
    return text


def draw_many(
    places: list[tuple[int, int]], count: int, draw: Callable[[st.SearchStrategy[str]], str]
) -> set[tuple[int, int]]:
    number = st.integers(0, len(places) - 1).map(str)
    return {places[int(draw(number))] for _ in range(count)}


def _check_rules(text: str, folder: Path) -> None:
    load_rulebook([written(text, folder)])


def _check_scenarios(text: str, folder: Path) -> None:
    read_scenarios(written(text, folder))


def _check_profile(text: str, folder: Path) -> None:
    read_profile(folder / "mine.yaml", text)


def _check_community(text: str, folder: Path) -> None:
    check_community(written(text, folder))


def written(text: str, folder: Path) -> Path:
    file = folder / "tried.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return file


LOADERS: Final[dict[str, tuple[str, Callable[[str, Path], None], type[Exception]]]] = {
    "rules": (RULES, _check_rules, RuleFileError),
    "scenarios": (SCENARIOS, _check_scenarios, RuleFileError),
    "profile": (GOOD, _check_profile, ProfileFileError),
    "community": (COMMUNITY, _check_community, MistakesFound),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_the_files_themselves_are_taken(kind: str, tmp_path: Path) -> None:
    text, check, _ = LOADERS[kind]
    check(text, tmp_path)
    assert len(spots(text)) > 20


@pytest.mark.parametrize("kind", LOADERS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_a_loaders_own_error_ever_comes_out(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    text, check, own = LOADERS[kind]
    hostile = altered(text, data.draw(st.integers(1, 3)), data.draw)
    try:
        check(hostile, tmp_path)
    except own as error:
        said = str(error)
        assert said
        said.encode()  # whoever prints it can


LAUGHS: Final = "".join(
    f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9 if n else ['ha'] * 9)}]\n" for n in range(7)
)


@pytest.mark.parametrize("kind", LOADERS)
def test_what_repeats_itself_without_end_is_refused(kind: str, tmp_path: Path) -> None:
    _, check, own = LOADERS[kind]
    with pytest.raises(own, match="counting what aliases"):
        check(LAUGHS, tmp_path)


@given(st.text(max_size=60) | st.lists(st.sampled_from(HOSTILE), max_size=3).map("\n- ".join))
def test_any_text_is_yaml_or_not(text: str) -> None:
    with suppress(NotYaml):
        parse(text)


@pytest.mark.parametrize(
    "length", ["99999999999999d", "12345678901234567890123h", "9" * 5_000 + "s", "36501d", "36500d1s"]
)
def test_no_duration_is_longer_than_a_hundred_years(length: str) -> None:
    with pytest.raises(ValueError, match="longer than 36500d") as refused:
        parse_duration(length)
    assert len(str(refused.value)) < 120
    assert parse_duration("36500d").days == 36_500
