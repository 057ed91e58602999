"""YAML that remembers where everything stands, so that an error can point at it.

A file becomes plain values plus, for every path into them, the line and column of the key and of the value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.plain_yaml import LARGEST_WHOLE
from config.text import misprint, printable

Keys = tuple[str | int, ...]
# Aliases of aliases make a small file a huge one; no file that people write comes near this.
_MOST_PARTS: Final = 50_000


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file, at a line and column (both from 1), and what would be right."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class RuleFileError(Exception):
    """A file cannot be used; `problems` lists every mistake at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(sorted(problems))


@dataclass(frozen=True, slots=True)
class _Place:
    line: int
    column: int
    inline: bool  # a plain or quoted scalar on one line: characters inside can be counted
    quote: int = 0


_TOP = _Place(1, 1, inline=False)


@dataclass(slots=True)
class Document:
    """The content of one YAML file and the position of each part of it."""

    name: str
    content: Any = None
    problems: list[Problem] = field(default_factory=list)
    _values: dict[Keys, _Place] = field(default_factory=dict)
    _keys: dict[Keys, _Place] = field(default_factory=dict)
    _parts: int = 0

    def at(self, path: Keys, message: str, *, key: bool = False, offset: int = 0) -> Problem:
        """A problem at a path (its key, or `offset` characters into its scalar), or at the nearest parent."""
        place = self._keys.get(path) if key else None
        while place is None:
            place = self._values.get(path, None if path else _TOP)
            if place is None:
                path, offset = path[:-1], 0
                place = self._keys.get(path) if key else None
        inside = offset + place.quote if place.inline else 0
        return Problem(self.name, place.line, place.column + inside, message)

    def line_of(self, path: Keys) -> int | None:
        """The line (from 1) on which a key stands; None where there is no such key."""
        place = self._keys.get(path)
        return None if place is None else place.line

    def __contains__(self, path: Keys) -> bool:
        return path in self._values

    def take(self, root: Node) -> None:
        """Turn a parsed file into values, remembering where each part stands."""
        self.content = self._take(root, ())

    def _take(self, node: Node, path: Keys) -> object:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise RuleFileError(
                [Problem(self.name, 1, 1, f"more than {_MOST_PARTS} parts, counting what aliases repeat")]
            )
        inline = isinstance(node, ScalarNode) and node.start_mark.line == node.end_mark.line
        quote = 1 if inline and getattr(node, "style", None) in ("'", '"') else 0
        self._values[path] = _Place(node.start_mark.line + 1, node.start_mark.column + 1, inline, quote)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._take(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node, self._printable(str(node.value), path, self._values[path]))

    def _printable(self, text: str, path: Keys, place: _Place) -> str:
        """What is written; what nothing could store is a mistake wherever it stands, and is left out."""
        wrong = misprint(text)
        if wrong is None:
            return text
        name = f"{path[-1]}: " if path else ""
        self.problems.append(
            Problem(self.name, place.line, place.column + place.quote, f"{name}{text!r} {wrong.en}")
        )
        return printable(text, "\ufffd")

    def _mapping(self, node: MappingNode, path: Keys) -> dict[str, object]:
        content: dict[str, object] = {}
        for key_node, value_node in node.value:
            # YAML 1.1 readers take a bare `on` for true; what was written is what is meant.
            place = _Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1, inline=True)
            key = self._printable(str(key_node.value), path, place)
            inner = (*path, key)
            if key in content:
                self.problems.append(Problem(self.name, place.line, place.column, f"{key!r} is here twice"))
            self._keys[inner] = place
            content[key] = self._take(value_node, inner)
        return content


def _scalar(node: Node, text: str) -> object:
    kind = str(node.tag).rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in {"int", "float"}:
        try:
            number = int(text) if kind == "int" else float(text)
        except ValueError:
            return text
        return number if abs(number) <= LARGEST_WHOLE or (kind == "float" and isfinite(number)) else text
    return text


def read_document(path: Path, name: str | None = None) -> Document:
    """Read a YAML file, or raise RuleFileError naming the place that is not YAML."""
    name = name or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleFileError([Problem(name, 1, 1, f"cannot be read: {error}")]) from error
    return parse_document(text, name)


def parse_document(text: str, name: str) -> Document:
    """Parse YAML, or raise RuleFileError naming the place that is not YAML."""
    document = Document(name)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        if node is None:
            raise RuleFileError([Problem(name, 1, 1, "the file is empty")])
        document.take(node)
    except (YAMLError, RecursionError) as error:
        raise RuleFileError([_not_yaml(name, text, error)]) from error
    return document


def _not_yaml(name: str, text: str, error: YAMLError | RecursionError) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(name, 1, 1, "nested too deeply")
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Problem(name, line, column, f"not YAML: {error.problem}")
    # What is left is a character that YAML does not take.
    position = int(getattr(error, "position", 0))
    before = text[:position]
    column = position - before.rfind("\n")
    shown = f"the character {text[position : position + 1]!r} may not stand in YAML"
    return Problem(name, before.count("\n") + 1, column, f"not YAML: {shown}")
