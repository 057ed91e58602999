"""YAML with the line of every value: files become plain data, `include` and `each` already carried out.

`include: [residents.yaml]` takes the lists of another file as if they stood at the end of ours. An entry of
a list with `each: [{n: 1}, {n: 2}]` stands for an entry per mapping, with `{n}` replaced where it is written.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from clerestory.community.mistakes import Mistake, Path, Place
from config.plain_yaml import NotYaml, parse
from config.text import misprint, printable

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# Aliases of aliases and `each` in `each` make a small file a huge one; no community comes near this.
_MOST_PARTS = 300_000


class _TooMuch(Exception):
    """More parts than any community has, or parts inside themselves without end."""


@dataclass(slots=True)
class Source:
    """A community document as plain data, with the place each of its values was written at."""

    data: dict[str, object] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Give the line of a value, or of the nearest thing around it that has one."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, Place("?", 1))

    def mistake(self, path: Path, value: object, right: str) -> Mistake:
        return Mistake(self.place(path), path, value, right)


def read_source(file: FilePath) -> tuple[Source, list[Mistake]]:
    """Read a community file with all it includes. What could not be read is among the mistakes."""
    source, mistakes = Source(), list[Mistake]()
    source.places[()] = Place(str(file), 1)
    root = _parse(file, (), source, mistakes)
    if root is None:
        return source, mistakes
    names = root.pop("include", [])
    _convert(file, root, source, mistakes)
    for name in names if isinstance(names, list) else [names]:
        included = file.parent / str(name)
        part = _parse(included, ("include",), source, mistakes)
        if part is not None:
            _convert(included, part, source, mistakes)
    return source, mistakes


def _convert(file: FilePath, root: CommentedMap, source: Source, mistakes: list[Mistake]) -> None:
    try:
        _Converter(str(file), source, mistakes).document(root)
    except (_TooMuch, RecursionError):
        right = f"has more than {_MOST_PARTS} parts, counting what aliases and `each` repeat"
        mistakes.append(Mistake(Place(str(file), 1), (), str(file), right))


def _parse(file: FilePath, at: Path, source: Source, mistakes: list[Mistake]) -> CommentedMap | None:
    try:
        root = parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(source.mistake(at, str(file), f"cannot be read: {error}"))
        return None
    except NotYaml as error:
        place = Place(str(file), error.line)
        mistakes.append(Mistake(place, at, str(file), f"is not valid YAML: {error}"))
        return None
    if not isinstance(root, CommentedMap):
        mistakes.append(Mistake(Place(str(file), 1), at, str(file), "should be a mapping of sections"))
        return None
    return root


@dataclass(slots=True)
class _Converter:
    file: str
    source: Source
    mistakes: list[Mistake]
    parts: int = 0

    def document(self, root: CommentedMap) -> None:
        """Add the sections of one file: new ones as they are, lists at the end of a list already there."""
        for key, value in root.items():
            place = self._line(root, key)
            name = self._key(key, (), place)
            there = self.source.data.get(name)
            if isinstance(there, list) and isinstance(value, CommentedSeq):
                self._items(value, (name,), there)
            elif isinstance(there, dict) and isinstance(value, CommentedMap):
                there.update(self._mapping(value, (name,), {}))
            elif there is None:
                self.source.places[name,] = place
                self.source.data[name] = self._plain(value, (name,), {})
            else:
                self.mistakes.append(
                    Mistake(place, (name,), value, "is already given in another file; only lists are joined")
                )

    def _plain(self, value: object, path: Path, variables: dict[str, object]) -> object:
        self.parts += 1
        if self.parts > _MOST_PARTS:
            raise _TooMuch
        if isinstance(value, CommentedMap):
            return self._mapping(value, path, variables)
        if isinstance(value, CommentedSeq):
            return self._items(value, path, [], variables)
        if not isinstance(value, str):
            return value
        wrong = misprint(value)
        if wrong is not None:
            self.mistakes.append(self.source.mistake(path, value, wrong.en))
            value = printable(value, "\ufffd")
        return self._filled(value, path, variables) if variables else value

    def _key(self, key: object, path: Path, place: Place) -> str:
        """A key as text; what nothing could store is a mistake."""
        text = str(key)
        wrong = misprint(text)
        if wrong is not None:
            self.mistakes.append(Mistake(place, path, text, wrong.en))
        return printable(text, "\ufffd")

    def _mapping(self, value: CommentedMap, path: Path, variables: dict[str, object]) -> dict[str, object]:
        plain: dict[str, object] = {}
        for key, part in value.items():
            line = self._line(value, key)
            name = self._key(key, path, line)
            inner = (*path, name)
            self.source.places[inner] = line
            plain[name] = self._plain(part, inner, variables)
        return plain

    def _items(
        self, value: CommentedSeq, path: Path, into: list[object], variables: dict[str, object] | None = None
    ) -> list[object]:
        """Append the entries of a list, an entry with `each` once for every mapping of it."""
        for index, part in enumerate(value):
            line = self._line(value, index)
            for filling in self._each(part, path, line):
                inner = (*path, len(into))
                self.source.places[inner] = line
                if filling is None:
                    into.append(self._plain(part, inner, variables or {}))
                else:
                    entry = self._mapping(part, inner, {**(variables or {}), **filling})
                    entry.pop("each", None)
                    into.append(entry)
        return into

    def _each(self, part: object, path: Path, line: Place) -> list[dict[str, object] | None]:
        if not isinstance(part, CommentedMap) or "each" not in part:
            return [None]
        rows = part["each"]
        if isinstance(rows, CommentedSeq) and all(isinstance(row, CommentedMap) and row for row in rows):
            return [{str(name): value for name, value in row.items()} for row in rows]
        self.mistakes.append(
            Mistake(line, (*path, "each"), rows, "should be a list of mappings, e.g. [{n: 1}, {n: 2}]")
        )
        return []

    def _filled(self, text: str, path: Path, variables: dict[str, object]) -> object:
        if "each" in path:
            return text
        whole = _PLACEHOLDER.fullmatch(text)
        if whole and whole[1] in variables:
            return variables[whole[1]]
        for name in _PLACEHOLDER.findall(text):
            if name not in variables:
                known = ", ".join(f"{{{each}}}" for each in variables)
                self.mistakes.append(self.source.mistake(path, text, f"{{{name}}} is not in `each`: {known}"))
        return _PLACEHOLDER.sub(lambda match: str(variables.get(match[1], match[0])), text)

    def _line(self, around: CommentedMap | CommentedSeq, key: object) -> Place:
        known = (around.lc.data or {}).get(key)  # the library keeps none of what has a tag, or was merged in
        return Place(self.file, (known[0] if known else around.lc.line or 0) + 1)
