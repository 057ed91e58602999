"""Profiles from YAML files, each mistake with its file, line and column, all of them at once."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from config.plain_yaml import NotYaml, parse
from config.profile_check import meant
from config.profiles import EventMap, FieldMap, FillFrom, Profile, TimeField
from config.text import misprint
from config.vocabulary import load_vocabulary

Keys = tuple[str | int, ...]
WORDS = tuple(
    name for model in (Profile, FieldMap, EventMap, FillFrom, TimeField) for name in model.model_fields
)


# Aliases of aliases make a small file a huge one; no file that people write comes near this.
MOST_PARTS = 50_000
DEEPEST = 100


class ProfileFileError(ValueError):
    """Profiles that cannot be used: each line says file, line, column and what would be right."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_profile(path: Path, text: str | None = None) -> Profile:
    """Read one file (or `text` as if it stood there); its name without the ending is the profile's name.

    Raises `ProfileFileError` with every mistake in it.
    """
    body, tree = _parse(path, text)
    content = {"name": path.stem, **body}
    found: dict[tuple[int, int, str], str] = {}

    def note(keys: Keys, message: str, *, key: bool = False) -> None:
        line, column = _place(tree, keys, key=key)
        found.setdefault((line, column, message), f"{path}:{line}:{column}: {message}")

    if "name" in body:
        note(("name",), "name is the file's name; take it out", key=True)
    for keys, message in meant(content, load_vocabulary()):
        note(keys, message)
    profile = None
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        for keys, message, is_key in _shape(error):
            note(keys, message, key=is_key)
    if found or profile is None:
        raise ProfileFileError([found[place] for place in sorted(found)])
    return profile


def read_folder(folder: Path, taken: Mapping[str, Profile]) -> dict[str, Profile]:
    """Read every *.yaml of a folder; raises `ProfileFileError` with every mistake in all of them."""
    profiles: dict[str, Profile] = {}
    lines: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            profile = read_profile(path)
        except ProfileFileError as error:
            lines += error.lines
            continue
        if profile.name in taken:
            lines.append(f"{path}:1:1: {profile.name} is a shipped profile; give the file another name")
        profiles[profile.name] = profile
    if lines:
        raise ProfileFileError(lines)
    return profiles


def _parse(path: Path, text: str | None) -> tuple[dict[str, Any], CommentedMap]:
    try:
        written = path.read_text(encoding="utf-8") if text is None else text
        tree = parse(written)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileFileError([f"{path}:1:1: cannot be read: {error}"]) from error
    except NotYaml as error:
        raise ProfileFileError([f"{path}:{error.line}:{error.column}: not YAML: {error}"]) from error
    if not isinstance(tree, CommentedMap):
        raise ProfileFileError([f"{path}:1:1: should be a mapping: label, asset_class, envelope, fields, …"])
    plain = _Plain(path, tree)
    content = plain.of(tree, ())
    if plain.wrong:
        raise ProfileFileError(plain.wrong)
    return (content if isinstance(content, dict) else {}), tree


class _Plain:
    """A file's content without what a YAML reader remembers; keys are texts, as JSON's are."""

    def __init__(self, path: Path, tree: CommentedMap) -> None:
        self.wrong: list[str] = []
        self._path = path
        self._tree = tree
        self._parts = 0

    def of(self, node: object, keys: Keys) -> object:
        """The content of a part; what nothing could store or reckon with is told in `wrong`."""
        self._parts += 1
        if self._parts > MOST_PARTS or len(keys) > DEEPEST:
            right = f"has more than {MOST_PARTS} parts, counting what aliases repeat, or nests too deeply"
            raise ProfileFileError([f"{self._path}:1:1: {right}"])
        if isinstance(node, CommentedMap):
            return {
                self._text(_key(key), (*keys, _key(key)), key=True): self.of(value, (*keys, _key(key)))
                for key, value in node.items()
            }
        if isinstance(node, CommentedSeq):
            return [self.of(value, (*keys, index)) for index, value in enumerate(node)]
        if isinstance(node, bool) or node is None:
            return node
        for kind in (int, float):
            if isinstance(node, kind):
                return kind(node)
        return self._text(str(node), keys)

    def _text(self, text: str, keys: Keys, *, key: bool = False) -> str:
        wrong = misprint(text)
        if wrong is not None:
            line, column = _place(self._tree, keys, key=key)
            self.wrong.append(f"{self._path}:{line}:{column}: {text!r} {wrong.en}")
        return text


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _place(tree: CommentedMap, keys: Keys, *, key: bool) -> tuple[int, int]:
    """Line and column (from 1) of a value, or of its key; of the nearest that is written."""
    node: object = tree
    place = (0, 0)
    for depth, each in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(node, CommentedMap):
            written = next((one for one in node if _key(one) == str(each)), None)
            if written is None:
                break
            known = (node.lc.data or {}).get(written)  # the library keeps none of what was merged in
            if known is not None:
                place = (known[0], known[1]) if last and key else (known[2], known[3])
            node = node[written]
        elif isinstance(node, CommentedSeq) and isinstance(each, int) and each < len(node):
            known = (node.lc.data or {}).get(each)
            place = place if known is None else (known[0], known[1])
            node = node[each]
        else:
            break
    return place[0] + 1, place[1] + 1


def _shape(error: ValidationError) -> Iterator[tuple[Keys, str, bool]]:
    for each in error.errors():
        keys = tuple(part for part in each["loc"] if not str(part).startswith(("function-", "literal[")))
        name = str(keys[-1]) if keys else "the file"
        if not keys and each["type"] == "value_error":
            continue  # what `meant` has said at its place
        match each["type"]:
            case "extra_forbidden":
                near = difflib.get_close_matches(name, WORDS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                yield keys, f"there is no field {name!r} here{hint}", True
            case "missing":
                yield keys[:-1], f"{name!r} is missing", True
            case "value_error":
                yield keys, f"{name}: {each['ctx']['error']}", False
            case _:
                said = f"{each['msg'][:1].lower()}{each['msg'][1:]}"
                yield keys, f"{name}: {said}, not {str(each['input'])[:60]!r}", False
