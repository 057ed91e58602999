"""Profiles from YAML files, each mistake with its file, line and column, all of them at once."""

import difflib
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from config.profile_check import meant
from config.profiles import EventMap, FieldMap, FillFrom, Profile, TimeField
from config.vocabulary import load_vocabulary

Keys = tuple[str | int, ...]
WORDS = tuple(
    name for model in (Profile, FieldMap, EventMap, FillFrom, TimeField) for name in model.model_fields
)


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
        tree = YAML(typ="rt").load(StringIO(written))
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileFileError([f"{path}:1:1: cannot be read: {error}"]) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ProfileFileError([f"{path}:{line}:{column}: not YAML: {error.problem}"]) from error
    except (YAMLError, RecursionError) as error:
        raise ProfileFileError([f"{path}:1:1: not YAML: {error}"]) from error
    if not isinstance(tree, CommentedMap):
        raise ProfileFileError([f"{path}:1:1: should be a mapping: label, asset_class, envelope, fields, …"])
    plain = _plain(tree)
    return (plain if isinstance(plain, dict) else {}), tree


def _plain(node: object) -> object:
    """Give a file's content without what a YAML reader remembers; keys are texts, as JSON's are."""
    if isinstance(node, CommentedMap):
        return {_key(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


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
            place = node.lc.key(written) if last and key else node.lc.value(written)
            node = node[written]
        elif isinstance(node, CommentedSeq) and isinstance(each, int) and each < len(node):
            place = node.lc.item(each)
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
