"""One rule of a file taken out for editing: its logic as YAML, its texts by language; and put back. Pure.

Everything else of the file stays to the letter, comments too, and every line of the file made anew knows
where in the form it comes from, so that a mistake is shown beside it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules.compile import compile_text
from rules.document import Document, Problem, RuleFileError, parse_document
from rules.sources import Source

TEXTS: tuple[Literal["title", "meaning", "todo", "safety"], ...] = ("title", "meaning", "todo", "safety")
STEPS = "todo"  # one step a line

Area = Literal["file", "logic", "title", "meaning", "todo", "safety"]
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Fields:
    """What the form shows of one rule: its logic, and the texts as {name: {language: words}}."""

    logic: str
    texts: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """A problem in the form: in which field, on which line and column of it (from 1)."""

    area: Area
    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A rule taken out of its file."""

    before: tuple[str, ...]  # of the file, with the rule's own first line
    after: tuple[str, ...]
    fields: Fields
    kept: Mapping[str, tuple[str, ...]] = field(repr=False)  # the lines of each text as they were


@dataclass(frozen=True, slots=True)
class Made:
    """A file made anew; `origin` says of each of its lines where it comes from."""

    text: str
    origin: tuple[tuple[Area, int], ...]

    def place(self, problem: Problem) -> Place:
        """Where in the form a problem of the file is."""
        if not 1 <= problem.line <= len(self.origin):
            return Place("file", problem.line, problem.column, problem.message)
        area, line = self.origin[problem.line - 1]
        shift = len(_INDENT) if area == "logic" else 0
        return Place(area, line, max(problem.column - shift, 1), problem.message)


def open_rule(source: Source, code: str) -> Opened | None:
    """Take a rule out of a file; None where it is not there, or not written one part a line."""
    document = compile_text(source.text, source.place).document
    first = document.line_of(("rules", code))
    rule = document.content.get("rules", {}).get(code) if isinstance(document.content, dict) else None
    if first is None or not isinstance(rule, dict):
        return None
    lines = source.text.replace("\r\n", "\n").rstrip("\n").split("\n")
    last = _end(document, lines, code, first)
    children = sorted(line for name in rule if (line := document.line_of(("rules", code, name))) is not None)
    if len(children) != len(rule) or len({*children, first}) != len(children) + 1 or not children:
        return None
    bounds = {
        line: following - 1 for line, following in zip(children, [*children[1:], last + 1], strict=True)
    }
    kept: dict[str, tuple[str, ...]] = {}
    taken: set[int] = set()
    for name in TEXTS:
        line = document.line_of(("rules", code, name))
        if line is not None:
            kept[name] = tuple(lines[line - 1 : bounds[line]])
            taken |= set(range(line, bounds[line] + 1))
    logic = [lines[n - 1] for n in range(first + 1, last + 1) if n not in taken]
    fields = Fields("\n".join(map(_out, logic)), {name: _words(rule.get(name)) for name in TEXTS})
    return Opened(tuple(lines[:first]), tuple(lines[last:]), fields, kept)


def put_back(opened: Opened, fields: Fields) -> Made:
    """The file with the rule as the form has it. Texts that say what they said keep their lines."""
    text: list[str] = [*opened.before]
    origin: list[tuple[Area, int]] = [("file", n) for n in range(1, len(opened.before))]
    origin.append(("logic", 1))  # what a rule lacks is said at its own first line
    logic = fields.logic.replace("\r\n", "\n").rstrip().split("\n")
    place = next((n for n, line in enumerate(logic) if re.match(r"order\s*:", line)), len(logic))
    for n, line in enumerate(logic):
        if n == place:
            _add_texts(text, origin, opened, fields)
        text.append(f"{_INDENT}{line}".rstrip())
        origin.append(("logic", n + 1))
    if place == len(logic):
        _add_texts(text, origin, opened, fields)
    text += opened.after
    origin += [("file", n + 1) for n in range(len(text) - len(opened.after), len(text))]
    return Made("\n".join(text) + "\n", tuple(origin))


def whole(text: str) -> Made:
    """A file edited as a whole."""
    words = text.replace("\r\n", "\n").rstrip() + "\n"
    return Made(words, tuple(("file", n) for n in range(1, words.count("\n") + 1)))


def logic_not_yaml(fields: Fields) -> Place | None:
    """Where the logic by itself is no YAML: a bracket left open there is found only in the texts below it."""
    if not fields.logic.strip():
        return None
    try:
        content = parse_document(fields.logic.replace("\r\n", "\n"), "").content
    except RuleFileError as error:
        first = error.problems[0]
        return Place("logic", first.line, first.column, first.message)
    if content is not None and not isinstance(content, dict):
        return Place("logic", 1, 1, "a rule is written as `name: value`, one part a line")
    return None


def codes_of(source: Source) -> tuple[str, ...]:
    """The codes of a file's rules; none where it has mistakes."""
    return compile_text(source.text, source.place).codes


def _end(document: Document, lines: list[str], code: str, first: int) -> int:
    """The last line of a rule: what is written above the next one belongs to that."""
    content = document.content
    starts = [document.line_of(("rules", other)) for other in content["rules"] if other != code]
    starts += [document.line_of((name,)) for name in content]
    last = min((line - 1 for line in starts if line is not None and line > first), default=len(lines))
    while last > first and not re.match(r"\s{3,}\S", lines[last - 1]):
        last -= 1
    return last


def _out(line: str) -> str:
    return line[len(_INDENT) :] if line.startswith(_INDENT) else line.lstrip()


def _words(value: object) -> dict[str, str]:
    spoken = value if isinstance(value, dict) else {}
    return {language: _said(spoken.get(language)) for language in ("zh", "en")}


def _said(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def _add_texts(text: list[str], origin: list[tuple[Area, int]], opened: Opened, fields: Fields) -> None:
    for name in TEXTS:
        now = {language: _tidy(name, words) for language, words in fields.texts.get(name, {}).items()}
        before = {language: _tidy(name, words) for language, words in opened.fields.texts[name].items()}
        lines = (
            list(opened.kept[name]) if now == before and name in opened.kept else list(_written(name, now))
        )
        text += lines
        origin += [(name, 1)] * len(lines)


def _tidy(name: str, words: str) -> str:
    lines = [line.strip() for line in words.replace("\r\n", "\n").split("\n")]
    return "\n".join(line for line in lines if line) if name == STEPS else " ".join(lines).strip()


def _written(name: str, words: Mapping[str, str]) -> Iterator[str]:
    yield f"{_INDENT}{name}:"
    for language in ("zh", "en"):
        said = words.get(language, "")
        value = said.split("\n") if name == STEPS and said else [] if name == STEPS else said
        yield f"{_INDENT}  {language}: {_quoted(value)}"


def _quoted(value: str | list[str]) -> str:
    """As YAML reads it in double quotes; what cannot be seen is written by its number."""
    return "".join(
        each if each.isprintable() else f"\\U{ord(each):08x}"
        for each in json.dumps(value, ensure_ascii=False)
    )
