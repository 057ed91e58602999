"""Every mistake of a rule file is found, at its place, with what would be right."""

from itertools import pairwise
from pathlib import Path

import pytest

from rules.book import load_rulebook
from rules.document import Problem, RuleFileError, parse_document
from tests.unit.rule_parts import a_rule_file

LIMIT = (
    "attributes:\n"
    "  lim: { type: number, default: 50, minimum: 10, maximum: 90, label: { zh: 限, en: Lim } }\n"
)


def problems_of(*files: Path) -> tuple[Problem, ...]:
    with pytest.raises(RuleFileError) as refused:
        load_rulebook(files)
    return refused.value.problems


@pytest.mark.parametrize(
    ("logic", "place", "words"),
    [
        ("when: fill_percnt > 90.0", (4, 11), "not a signal of bin; did you mean 'fill_percent'"),
        ('when: "fill_percnt > 90.0"', (4, 12), "not a signal"),
        ("when: tilted && fill_percnt > 90.0", (4, 21), "not a signal"),
        ("when: fill_percent > 120.0", (4, 11), "can never be true"),
        ("when: fill_percent >= 0.0", (4, 11), "true for every value"),
        ("when: fill_percent == 'full'", (4, 24), "a number is compared with a text"),
        ("when: tilted == 1", (4, 18), "true or false is compared with a whole number"),
        ("when: fill_percent", (4, 11), "a condition is true or false, this is a number"),
        ("when: fill_percent + 1 > 3.0", (4, 24), "write 10.0 for 10"),
        ("when: fill_percent % 2.0 == 0.0", (4, 24), "needs whole numbers"),
        ("when: fill_percent >", (4, 25), "the condition ends where a value was expected"),
        ("when: fill_percent > 3 & tilted", (4, 28), "means nothing here"),
        ("when: fill_percent.size() > 3", (4, 11), "a text is needed by 'size'"),
        ("when: fill_percent > asset.lim", (4, 26), "attribute 'lim' is not declared"),
        ("when: event.code == 'x'", (4, 11), "only in the condition of an `on` trigger"),
        ("when: fill_percent > 80\nclear: fill_percent < 90", (4, 11), "raised and cleared at once"),
        ("when: battery_percent < 5\nclear: battery_percent > 150", (5, 12), "can never be true"),
        ("when: tilted && fill_percent > 5.0\nunless: tilted", (4, 11), "only true when `unless`"),
        ("when: tilted\nunless: fill_percent >= 0.0", (5, 13), "the alarm would never be raised"),
        ("when: rate(fill_prcent, 1h) > 5.0", (4, 16), "did you mean 'fill_percent'"),
        ("when: rate(tilted, 1h) > 5.0", (4, 16), "tilted is true or false"),
        ("when: mean(fill_percent, 5) > 5.0", (4, 30), "a signal and a span of time"),
        ("when: mean(fill_percent) > 5.0", (4, 11), "over how long? write mean(signal, 1h)"),
        ("when: mean(fill_percent, 5min) > 5.0", (4, 30), "'5min' is neither a number nor a span"),
        ("when: mean(fill_percent, 90d) > 5.0", (4, 30), "from 1m to 31d"),
        ("when: forecast(fill_percent, 8d) > 5.0", (4, 34), "from 1m to 7d"),
        ("when: fill_percent.mean(1h) > 5.0", (4, 24), "write mean(signal, 1h)"),
        ("when: mean(fill_percent + 1.0, 1h) > 5.0", (4, 29), "'mean' is asked of a name"),
        ("when: rte(fill_percent, 1h) > 5.0", (4, 11), "did you mean 'rate'"),
        ("when: tilted && since(cover_opn) < 1h", (4, 27), "did you mean 'cover_open'"),
        ("when: tilted && since(cover_open) < 3.0", (4, 39), "a span of time is compared with a number"),
        ("when: tilted && since(cover_open, 1h) < 1h", (4, 39), "'since' takes one event"),
        ("when: fill_percent > 5m", (4, 24), "a number is compared with a span of time"),
        ("when: forecast(fill_percent, 6h) >= 120.0", (4, 11), "can never be true"),
        ("when: tilted && since(cover_open) < 0s", (4, 11), "can never be true"),
        (
            "on: cover_open\nwhen: since(cover_open) < 1h\nclear_after: 1h",
            (5, 17),
            "say `times` and `within`",
        ),
        (
            "when: forecast(fill_percent, 6h) >= 90.0\nclear: fill_percent < 60.0",
            (4, 11),
            "raised and cleared at once",
        ),
        ("when: tilted\nfor: 5 minutes", (5, 10), "'5 minutes' is not a duration"),
        ("when: tilted\nfor: 0s", (5, 10), "longer than nothing"),
        ("when: tilted\nfro: 5m", (5, 5), "unknown field 'fro'; did you mean 'for'"),
        ("when: tilted\nattributes: {}", (5, 5), "unknown field 'attributes'; it does not belong here"),
        ("when: tilted\norder: soon", (5, 12), "order: should be a mapping, not 'soon'"),
        ("when: tilted\nwhen: tilted", (5, 5), "'when' is here twice"),
        ("when: tilted\ntimes: 3\nclear: '!tilted'", (5, 5), "`times` needs `within`"),
        ("when: tilted\nclear_after: 5m", (5, 5), "say `keep`"),
        ("on: fire_alrm\nclear_after: 1h", (4, 9), "did you mean 'fire_alarm'"),
        ("on: [fire_alarm, nope]\nclear_after: 1h", (4, 22), "'nope' is not an event of bin"),
        ("on: fire_alarm", (3, 3), "an event never ends by itself"),
        ("on: fire_alarm\nclear_on: fire_alarm", (5, 15), "raises this alarm too"),
        ("on: fire_alarm\nfor: 5m\nclear_after: 1h", (5, 5), "an event has no length"),
        ("silent: by_profile\nkeep: 5m", (5, 5), "ends when the device is heard again"),
        ("silent: soon", (4, 13), "by_profile"),
        ("any:\n  - when: tilted\n  - silent: 3h", (4, 5), "go with nothing else"),
        ("any:\n  - when: tilted\non: fire_alarm", (4, 5), "beside `any`"),
        ("for: 5m", (3, 3), "this says nothing"),
        (
            "when: tilted\norder: { kind: bin_repair, skill: x, respond: 4h, arrive: 1h }",
            (5, 63),
            "before `respond`",
        ),
        ("when: '[1, 2'", (4, 17), "where ',' was expected"),
        ("when: " + "(" * 60 + "tilted" + ")" * 60, (4, 52), "nested more than 40 deep"),
        ("when: " + " || ".join(["tilted"] * 3000), (4, 2011), "longer than 400 words and signs"),
        ("when: fill_percent > " + "9" * 5000, (4, 26), "a whole number has at most 18 digits"),
    ],
)
def test_a_mistake_is_found_at_its_place(
    tmp_path: Path, logic: str, place: tuple[int, int], words: str
) -> None:
    (problem,) = problems_of(a_rule_file(tmp_path, logic))
    assert words in problem.message
    assert (problem.line, problem.column) == place


def test_words_of_an_enumeration_are_known(tmp_path: Path) -> None:
    file = a_rule_file(tmp_path, "when: service_mode == 'inspecton' || door_closed")
    file.write_text(
        file.read_text(encoding="utf-8").replace("class: bin", "class: elevator"), encoding="utf-8"
    )
    (problem,) = problems_of(file)
    assert str(problem) == f"{file}:4:27: service_mode is never 'inspecton'; did you mean 'inspection'?"


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("asset_class: bin\nrules:\n  a:\n    severity: bad\n    when: tilted\n", encoding="utf-8")
    said = [str(problem) for problem in problems_of(file)]
    assert f"{file}:4:15: severity: input should be 'critical', 'major', 'minor' or 'info', not 'bad'" in said
    for missing in ("title", "meaning", "todo", "safety"):
        assert f"{file}:3:3: '{missing}' is missing here" in said


def test_both_languages_are_needed(tmp_path: Path) -> None:
    file = a_rule_file(tmp_path, "when: tilted")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("title: { zh: 一, en: One }", "title: { zh: 一 }"), encoding="utf-8")
    (problem,) = problems_of(file)
    assert "'en' is missing here" in problem.message


def test_clearing_relative_to_an_attribute_is_tried_at_its_ends(tmp_path: Path) -> None:
    logic = "when: fill_percent >= asset.lim\nclear: fill_percent < 40.0"
    (problem,) = problems_of(a_rule_file(tmp_path, logic, head=LIMIT))
    assert "asset.lim = 10" in problem.message
    right = "when: fill_percent >= asset.lim\nclear: fill_percent < asset.lim - 5.0"
    assert load_rulebook([a_rule_file(tmp_path, right, head=LIMIT)]).rule("tried").clear is not None


def test_a_default_outside_its_range_is_refused(tmp_path: Path) -> None:
    (problem,) = problems_of(a_rule_file(tmp_path, "when: tilted", head=LIMIT.replace("50", "95")))
    assert "95" in problem.message
    assert (problem.line, problem.column) == (3, 33)


def test_a_code_may_stand_in_one_file_only(tmp_path: Path) -> None:
    first = a_rule_file(tmp_path, "when: tilted", name="first.yaml")
    second = a_rule_file(tmp_path, "when: tilted", name="second.yaml")
    (problem,) = problems_of(first, second)
    assert str(problem) == f"{second}:3:3: 'tried' is also in {first}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("a: [1,", "not YAML"),
        ("- 1", "the file: "),
        ("asset_class: bim\nrules: { a: 1 }", "rules"),
    ],
)
def test_what_is_no_rule_file_is_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(content, encoding="utf-8")
    assert words in str(problems_of(file)[0])


def test_an_unknown_asset_class_is_named(tmp_path: Path) -> None:
    file = a_rule_file(tmp_path, "when: tilted")
    file.write_text(file.read_text(encoding="utf-8").replace("class: bin", "class: bim"), encoding="utf-8")
    (problem,) = problems_of(file)
    assert "'bim' is not an asset class; did you mean 'bin'?" in problem.message


def test_the_shipped_rules_have_no_mistakes() -> None:
    assert {rule.code for rule in load_rulebook().rules} >= {"bin_full_soon", "entrapment"}


_LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n" for before, name in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("[" * 5000, (1, 1), "nested too deeply"),
        ("a: &a [*a]", (1, 1), "nested too deeply"),
        (_LAUGHS, (1, 1), "more than 50000 parts"),
        ("asset_class: bin\nrules: \0", (2, 8), "'\\x00' may not stand in YAML"),
    ],
)
def test_hostile_yaml_is_a_mistake_with_a_place(content: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(RuleFileError) as refused:
        parse_document(content, "typed")
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == place
    assert words in problem.message


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("title: { zh: 一, en: One }", 'title: { zh: 一, en: "o\\0e" }', "en", "U+0000"),
        ("title: { zh: 一, en: One }", 'title: { zh: "\\v", en: one }', "zh", "U+000B"),
        ("title: { zh: 一, en: One }", 'title: { zh: "\\uD800", en: one }', "zh", "U+D800"),
        ("title: { zh: 一, en: One }", 'title: { zh: "\\uFFFE", en: one }', "zh", "U+FFFE"),
        ("title: { zh: 一, en: One }", 'title: { zh: 一, en: one, "x\\0": 1 }', "'x\\x00'", "U+0000"),
        ("when: tilted", 'when: "tilted\\x85"', "when", "U+0085"),
    ],
)
def test_what_no_database_takes_is_refused_at_its_place(
    tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    file = a_rule_file(tmp_path, "when: tilted")
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    found = [each for each in problems_of(file) if words in each.message]
    [problem] = found
    assert place in problem.message
    assert problem.line == next(n for n, line in enumerate(file.read_text().split("\n"), 1) if new in line)
    str(problem).encode()
