"""YAML with the line of every value: files become plain data, `include` and `each` already carried out.

`include: [residents.yaml]` takes the lists of another file as if they stood at the end of ours. An entry of
a list with `each: [{n: 1}, {n: 2}]` stands for an entry per mapping, with `{n}` replaced where it is written.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode

from clerestory.community.mistakes import Mistake, Path, Place

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class _Constructor(RoundTripConstructor):
    """Leaves a day that no calendar has, such as 2026-02-30, as it is written, for its field to refuse."""

    def construct_timestamp_or_text(self, node: ScalarNode) -> object:
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return str(node.value)


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_timestamp_or_text)


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
    _Converter(str(file), source, mistakes).document(root)
    for name in names if isinstance(names, list) else [names]:
        included = file.parent / str(name)
        part = _parse(included, ("include",), source, mistakes)
        if part is not None:
            _Converter(str(included), source, mistakes).document(part)
    return source, mistakes


def _parse(file: FilePath, at: Path, source: Source, mistakes: list[Mistake]) -> CommentedMap | None:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        root = yaml.load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(source.mistake(at, str(file), f"cannot be read: {error}"))
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(str(file), mark.line + 1 if mark else 1)
        said = " ".join(str(error.problem or error.context or "not YAML").split())
        mistakes.append(Mistake(place, at, str(file), f"is not valid YAML: {said}"))
        return None
    except (YAMLError, RecursionError) as error:
        mistakes.append(Mistake(Place(str(file), 1), at, str(file), f"is not valid YAML: {error}"))
        return None
    except TypeError:  # the library's word for a key that is itself a mapping or a list
        right = "has a key that is itself a mapping or a list; put a key with { or [ in quotes"
        mistakes.append(Mistake(Place(str(file), 1), at, str(file), right))
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

    def document(self, root: CommentedMap) -> None:
        """Add the sections of one file: new ones as they are, lists at the end of a list already there."""
        for key, value in root.items():
            name, place = str(key), self._line(root, key)
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
        if isinstance(value, CommentedMap):
            return self._mapping(value, path, variables)
        if isinstance(value, CommentedSeq):
            return self._items(value, path, [], variables)
        return self._filled(value, path, variables) if isinstance(value, str) and variables else value

    def _mapping(self, value: CommentedMap, path: Path, variables: dict[str, object]) -> dict[str, object]:
        plain: dict[str, object] = {}
        for key, part in value.items():
            inner = (*path, str(key))
            self.source.places[inner] = self._line(value, key)
            plain[str(key)] = self._plain(part, inner, variables)
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
        known = around.lc.data  # the library keeps none of what has a tag of its own
        return Place(self.file, (known[key][0] if known else around.lc.line or 0) + 1)
