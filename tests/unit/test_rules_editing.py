"""A rule taken out of its file for editing, and put back: nothing else of the file moves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.text import printable
from rules.compile import compile_text
from rules.editing import TEXTS, Fields, Opened, Place, codes_of, logic_not_yaml, open_rule, put_back, whole
from rules.sources import Source, file_sources

SHIPPED = [(source.name, source.text, code) for source in file_sources(None) for code in codes_of(source)]


def opened_of(text: str, code: str) -> Opened | None:
    return open_rule(Source("a", "a", text), code)


SMALL = """\
# Ours.
asset_class: bin
rules:
  bin_hot:  # since last summer
    severity: info
    when: temperature_c > 40.0
    # cold again
    clear: temperature_c < 30.0
    title: { zh: 热, en: Hot }
    meaning: { zh: 热, en: It is hot. }
    todo: { zh: [打开], en: [Open it] }
    safety: { zh: 小心, en: Mind }
    order: { kind: waste_collection, skill: cleaning }

  # The next.
  bin_cold:
    severity: info
    when: temperature_c < -40.0
    title: { zh: 冷, en: Cold }
    meaning: { zh: 冷, en: It is cold. }
    todo: { zh: [等], en: [Wait] }
    safety: { zh: 无, en: None }
"""
BIN = next(source.text for source in file_sources(None) if source.name == "bin")


@pytest.mark.parametrize(("name", "text", "code"), SHIPPED)
def test_a_rule_put_back_as_it_was_changes_no_letter(name: str, text: str, code: str) -> None:
    assert name
    opened = opened_of(text, code)
    assert opened is not None
    made = put_back(opened, opened.fields)
    assert made.text == text
    assert len(made.origin) == len(text.splitlines())


def readable(text: str) -> list[str]:
    """The words without what cannot be shown, in whose place the file has a mark."""
    return printable(text).replace("\ufffd", "").split()


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(TEXTS),
        st.fixed_dictionaries(
            {"zh": st.text(min_size=1, max_size=80), "en": st.text(min_size=1, max_size=80)}
        ),
    )
)
def test_whatever_is_written_into_the_texts_is_what_the_file_says(changed: dict[str, dict[str, str]]) -> None:
    opened = opened_of(SMALL, "bin_hot")
    assert opened is not None
    made = put_back(opened, Fields(opened.fields.logic, {**opened.fields.texts, **changed}))
    again = opened_of(made.text, "bin_hot")
    assert again is not None
    assert again.fields.logic == opened.fields.logic
    for name, words in changed.items():
        for language, said in words.items():
            kept = again.fields.texts[name][language]
            assert readable(kept) == readable(said)
    assert again.before == opened.before
    assert again.after == opened.after


def test_a_mistake_is_shown_in_the_field_it_is_in() -> None:
    opened = opened_of(BIN, "bin_overflow")
    assert opened is not None
    lines = opened.fields.logic.split("\n")
    at = next(n for n, line in enumerate(lines) if line.startswith("when:"))
    lines[at] = "when: fil_percent >= 3.0"
    texts = {**opened.fields.texts, "title": {"zh": "", "en": "x"}}
    made = put_back(opened, Fields("\n".join(lines), texts))
    first = put_back(opened, Fields("\n".join(lines), opened.fields.texts))
    [problem] = compile_text(first.text, "").problems
    place = first.place(problem)
    assert (place.area, place.line, place.column) == ("logic", at + 1, 7)
    areas = {made.place(problem).area for problem in compile_text(made.text, "").problems}
    assert areas == {"title"}


def test_what_a_rule_lacks_is_shown_at_its_own_first_line() -> None:
    opened = opened_of(BIN, "bin_overflow")
    assert opened is not None
    logic = "\n".join(line for line in opened.fields.logic.split("\n") if not line.startswith("severity:"))
    made = put_back(opened, Fields(logic, opened.fields.texts))
    [place] = [made.place(problem) for problem in compile_text(made.text, "").problems]
    assert (place.area, place.line, place.column) == ("logic", 1, 1)
    assert "severity" in place.message


def test_what_cannot_be_taken_apart_is_edited_whole() -> None:
    assert opened_of(BIN, "nothing_of_the_kind") is None
    assert opened_of("rules: [", "x") is None
    assert opened_of("rules: { x: { when: a, title: { zh: 一, en: a } } }", "x") is None
    made = whole("a: 1\r\nb: 2")
    assert made.text == "a: 1\nb: 2\n"
    assert made.origin == (("file", 1), ("file", 2))


def test_a_bracket_left_open_is_shown_in_the_logic_not_in_the_texts_below() -> None:
    found = logic_not_yaml(Fields("severity: minor\nany: [\n", {}))
    assert isinstance(found, Place)
    assert found.area == "logic"
    assert logic_not_yaml(Fields("severity: minor\r\nwhen: tilted\r\n", {})) is None
    assert logic_not_yaml(Fields("", {})) is None
    assert logic_not_yaml(Fields("- severity: minor", {})) == Place(
        "logic", 1, 1, "a rule is written as `name: value`, one part a line"
    )
