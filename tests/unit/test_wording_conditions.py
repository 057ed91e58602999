"""Conditions in words: a clause for every shape, which means what is written."""

import re
from collections.abc import Mapping
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import Language, Text
from config.vocabulary import Says, Signal, load_vocabulary
from rules.conditions import Value, compile_condition
from rules.expressions import ExpressionError
from rules.moments import DAY, HOUR, MINUTE, SECOND
from rules.ruleset import AttributeRule
from rules.wording.conditions import condition_text
from rules.wording.names import Names, names_of
from rules.wording.parts import as_written, number_text, passages, span_text

LANGUAGES: tuple[Language, ...] = get_args(Language)
CHINESE = re.compile("[\u4e00-\u9fff]")


def attribute(name: str, default: Value, zh: str, en: str) -> AttributeRule:
    kind = "boolean" if isinstance(default, bool) else "text" if isinstance(default, str) else "number"
    return AttributeRule(name, kind, default, None, None, Text(zh=zh, en=en))  # type: ignore[arg-type]


NO: Value = False
ATTRIBUTES = {
    each.name: each
    for each in (
        attribute("full_percent", 90, "满溢阈值（%）", "Overflowing from (%)"),
        attribute("outdoors", NO, "在室外", "Outdoors"),
        attribute("way", "up", "方向", "Way"),
    )
}
BIN = names_of(load_vocabulary(), "bin", ATTRIBUTES)
ELEVATOR = names_of(load_vocabulary(), "elevator", ATTRIBUTES)


def said(source: str, names: Names = BIN) -> Text:
    """The clause of a condition, with plain spaces."""
    text = condition_text(compile_condition(source), names)
    return Text(zh=text.zh.replace("\u00a0", " "), en=text.en.replace("\u00a0", " "))


# --- every shape --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "en", "zh"),
    [
        ("fill_percent > 35.0", "the fill level is above 35 %", "满溢程度高于 35 %"),
        ("35.0 < fill_percent", "the fill level is above 35 %", "满溢程度高于 35 %"),
        ("!(fill_percent <= 35.0)", "the fill level is above 35 %", "满溢程度高于 35 %"),
        ("temperature_c < -5.5", "the temperature is below −5.5 °C", "温度低于 −5.5 °C"),
        (
            "fill_percent >= asset.full_percent",
            "the fill level is at least 90 % (“Overflowing from”, unless set otherwise)",
            "满溢程度不低于 90 %（“满溢阈值”，可按位置另设）",
        ),
        (
            "fill_percent < (asset.full_percent - 20.0) * 0.5",
            "the fill level is below 35 % ((“Overflowing from” − 20) × 0.5, unless set otherwise)",
            "满溢程度低于 35 %（（“满溢阈值” − 20） × 0.5，可按位置另设）",
        ),
        (
            "rate(fill_percent, 1h) >= 5.0",
            "the rate of change of the fill level over 1 h is at least 5 % an hour",
            "1 小时内满溢程度的变化率不低于 5 %/小时",
        ),
        (
            "mean(temperature_c, 1h30m) > 40.0",
            "the mean of the temperature over 1 h 30 min is above 40 °C",
            "1 小时 30 分钟内温度的平均值高于 40 °C",
        ),
        (
            "forecast(fill_percent, 12h) >= 90.0",
            "the fill level expected in 12 h is at least 90 %",
            "预计 12 小时后的满溢程度不低于 90 %",
        ),
        (
            "since(cover_open) < 30m",
            "the last “Cover open” was less than 30 min ago",
            "距上次“盖子打开”不到 30 分钟",
        ),
        (
            "!(30m > since(cover_open))",
            "the last “Cover open” was at least 30 min ago",
            "距上次“盖子打开”至少 30 分钟",
        ),
        ("tilted == false", "the bin has not tipped over", "垃圾桶未倾倒"),
        ("true != tilted", "the bin has not tipped over", "垃圾桶未倾倒"),
        ("asset.outdoors", "“Outdoors” is set to yes", "“在室外”设为“是”"),
        ("!asset.outdoors", "“Outdoors” is set to no", "“在室外”设为“否”"),
        (
            "tilted ? fill_percent > 1.0 : true",
            "(if the bin has tipped over, then the fill level is above 1 %; otherwise always)",
            "（若垃圾桶已倾倒，则满溢程度高于 1 %；否则任何时候）",
        ),
        (
            "event.code == 'tilt_alarm' && event.detail.startsWith('x')",
            "the event is “Tilt alarm” and the event's detail begins with “x”",
            "事件为“倾倒报警”，且事件的说明以“x”开头",
        ),
        (
            "fill_percent + distance_mm * 2.0 > 3.0",
            "the fill level + (the distance to the surface × 2) is above 3 %",
            "满溢程度 + （到垃圾表面的距离 × 2）高于 3 %",
        ),
    ],
)
def test_a_condition_has_its_clause(source: str, en: str, zh: str) -> None:
    assert said(source) == Text(zh=zh, en=en)


@pytest.mark.parametrize(
    ("source", "en", "zh"),
    [
        ("service_mode == 'inspection'", "the service mode is inspection", "服务模式为检修"),
        ("'inspection' == service_mode", "the service mode is inspection", "服务模式为检修"),
        ("!(service_mode == 'inspection')", "the service mode is not inspection", "服务模式不为检修"),
        ("direction in ['up', 'down']", "the direction is one of up / down",
         "运行方向是以下之一：上行、下行"),
        ("!(direction in ['up', 'down'])", "the direction is none of up / down",
         "运行方向不是以下任何一个：上行、下行"),
        ("direction in ['up']", "the direction is up", "运行方向为上行"),
        ("direction == asset.way", "the direction is up (“Way”, unless set otherwise)",
         "运行方向为上行（“方向”，可按位置另设）"),
    ],
)  # fmt: skip
def test_words_of_an_enumeration_are_the_houses(source: str, en: str, zh: str) -> None:
    assert said(source, ELEVATOR) == Text(zh=zh, en=en)


@pytest.mark.parametrize(
    "source",
    ["tilted == (fill_percent > 3.0)", "fill_percent == null", "unheard_of > 3.0", "unheard_of",
     "fill_percent > 1.0 && unheard_of", "fill_percent > 1.0 / 0.0", "tilted in []", "fill_percent"],
)  # fmt: skip
def test_what_has_no_sentence_stands_as_it_is_written(source: str) -> None:
    text = condition_text(compile_condition(source), BIN)
    for language in LANGUAGES:
        assert list(passages(text[language])) == [(source, True)]


# --- never raises -------------------------------------------------------------------------------------

_ATOMS = st.sampled_from(
    """tilted|fill_percent|temperature_c|asset.full_percent|asset.outdoors|asset.way|asset.gone|event.code
    |event.detail|nothing|true|false|null|0|1.5|1e308|9999999999999999999|30m|366d|'x'|'{name}'|'\ue000'
    |rate(fill_percent, 1h)|mean(gone, 2h)|forecast(fill_percent, 12h)|since(cover_open)|since(gone)
    |['a', 1.0]|[]|size('x')|double(1)""".replace("\n    ", "").split("|")
)
_OPERATORS = st.sampled_from(["&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, _OPERATORS, inner).map(lambda each: f"({each[0]} {each[1]} {each[2]})"),
        st.tuples(st.sampled_from("!-"), inner).map("".join),
        st.tuples(inner, inner, inner).map(lambda each: f"({each[0]} ? {each[1]} : {each[2]})"),
        st.tuples(inner, st.sampled_from(["startsWith", "contains", "size", "odd"]), inner).map(
            lambda each: f"{each[0]}.{each[1]}({each[2]})"
        ),
    )


@given(st.recursive(_ATOMS, _larger, max_leaves=12))
def test_whatever_is_written_is_said_or_stands_as_written(source: str) -> None:
    """Also what the checks would refuse: the page shows it, and never fails."""
    try:
        condition = compile_condition(source)
    except ExpressionError:
        return
    text = condition_text(condition, BIN)
    for language in LANGUAGES:
        parts = list(passages(text[language]))
        assert parts
        assert not any(written for _, written in parts) or len(parts) == 1
        assert not any("\ue000" in part or "\ue001" in part for part, _ in parts)


@given(st.text())
def test_a_passage_is_found_again_in_a_sentence(source: str) -> None:
    kept = source.replace("\ue000", "").replace("\ue001", "")
    parts = list(passages(f"before {as_written(source).en} after"))
    assert "".join(part for part, _ in parts) == f"before {kept} after"
    assert [part for part, written in parts if written] == ([kept] if kept else [])


@given(st.floats(allow_nan=False) | st.integers(-(10**20), 10**20))
def test_a_number_is_read_back(value: float) -> None:
    written = number_text(value).en.replace("−", "-").replace(",", "")
    assert float(written) == pytest.approx(value, rel=1e-5, abs=1e-6)


@given(st.integers(0, 400 * DAY // SECOND), st.booleans())
def test_a_span_is_read_back(seconds: int, days: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    sizes = {"day": DAY, "days": DAY, "h": HOUR, "min": MINUTE, "s": SECOND}
    words = span_text(seconds * SECOND, days=days).en.split()
    assert sum(int(n) * sizes[unit] for n, unit in zip(words[::2], words[1::2], strict=True)) == (
        seconds * SECOND
    )
    assert days or "day" not in " ".join(words)


# --- and, or, not: a sentence means what is written -----------------------------------------------------

# Truths with clauses that are easy to tell apart; a sentence made of them is read back below.
_LETTERS = "pqrs"
_TRUTHS = Names(
    {
        letter: Signal(
            name=letter,
            type="boolean",
            label=Text(zh=letter, en=letter),
            says=Says(
                yes=Text(zh=f"有{letter}", en=f"some {letter}"),
                no=Text(zh=f"无{letter}", en=f"no {letter}"),
            ),
        )
        for letter in _LETTERS
    },
    {},
)  # fmt: skip
_SIGNS: Mapping[Language, tuple[str, str, str, str, str]] = {
    # brackets, between the parts of a list in English, before its last part
    "en": ("(", ")", ", ", " and ", " or "),
    "zh": ("（", "）", "，，", "，且", "，或"),
}
_ATOM: Mapping[Language, re.Pattern[str]] = {
    "en": re.compile(r"(some|no) ([pqrs])"), "zh": re.compile(r"(有|无)([pqrs])"),
}  # fmt: skip


def read(words: str, language: Language, known: Mapping[str, bool]) -> bool:
    """Read a sentence as a person would: what stands in brackets first, and never `and` beside `or`."""
    opening, closing, comma, conjunction, disjunction = _SIGNS[language]
    depth, parts, joints, last, n = 0, [], set(), 0, 0
    while n < len(words):
        depth += (words[n] == opening) - (words[n] == closing)
        assert depth >= 0, words
        for sign in (comma, conjunction, disjunction):
            if depth == 0 and words.startswith(sign, n):
                parts.append(words[last:n])
                joints.add(sign)
                n += len(sign) - 1
                last = n + 1
                break
        n += 1
    assert depth == 0, words
    parts.append(words[last:])
    if len(parts) > 1:
        assert not {conjunction, disjunction} <= joints, f"{words!r} has two meanings"
        assert joints != {comma}
        answers = [read(part, language, known) for part in parts]
        return all(answers) if conjunction in joints else any(answers)
    if words.startswith(opening):
        return read(words[1:-1], language, known)
    atom = _ATOM[language].fullmatch(words)
    assert atom is not None, words
    return known[atom[2]] is (atom[1] in {"some", "有"})


_NESTED = st.recursive(
    st.sampled_from(_LETTERS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda each: f"({' '.join(each)})"),
        inner.map(lambda each: f"!{each}"),
        st.tuples(inner, st.sampled_from(["==", "!="]), st.sampled_from(["true", "false"])).map(
            lambda each: f"({' '.join(each)})"
        ),
    ),
    max_leaves=10,
)


@given(_NESTED)
def test_a_sentence_means_what_is_written(source: str) -> None:
    condition = compile_condition(source)
    text = condition_text(condition, _TRUTHS)
    for bits in range(2 ** len(_LETTERS)):
        known = {letter: bool(bits >> n & 1) for n, letter in enumerate(_LETTERS)}
        wanted = condition.ask_cel(known, {})
        for language in LANGUAGES:
            assert read(text[language], language, known) is wanted, (source, text[language], known)


@given(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.booleans(), st.booleans())
def test_a_comparison_means_what_is_written(sign: str, turned: bool, negated: bool) -> None:  # noqa: FBT001 - as above
    source = f"30.0 {sign} fill_percent" if turned else f"fill_percent {sign} 30.0"
    condition = compile_condition(f"!({source})" if negated else source)
    meanings = {
        "is below": lambda value: value < 30,
        "is at most": lambda value: value <= 30,
        "is above": lambda value: value > 30,
        "is at least": lambda value: value >= 30,
        "is": lambda value: value == 30,
        "is not": lambda value: value != 30,
    }
    words = condition_text(condition, BIN).en
    found = re.fullmatch(r"the fill level (is[a-z ]*?) 30\u00a0%", words)
    assert found is not None, words
    for value in (29.0, 30.0, 31.0):
        assert meanings[found[1]](value) is condition.ask_cel({"fill_percent": value}, {})
