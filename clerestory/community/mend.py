"""A wrong entry made whole with stand-ins, so that what else is wrong in it is found in the same go. Pure."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from clerestory.community.mistakes import Path
from clerestory.community.schema import Spec

S = TypeVar("S", bound=Spec)

_ABSENT: Final = object()
_NAME: Final = {"zh": "?", "en": "?"}
# Tried in turn where a value is wrong, until one fits. Nothing is ever said about what they stand for.
_STAND_INS: Final[tuple[object, ...]] = (
    _ABSENT,
    "hole",
    _NAME,
    1,
    "2000-01-01",
    "00:00",
    "daily",
    "owner",
    "area",
    "A" * 43 + "=",
    ["hole"],
    [{"skill": "hole"}],
    [{"days": "daily", "from": "00:00", "to": "00:00"}],
    {"skill": "hole"},
    {"days": "daily", "from": "00:00", "to": "00:00"},
    {"code": "hole", "name": _NAME},
    {"code": "hole", "floor": 1, "floor_area": 1},
    {"unit": "hole", "role": "owner", "from": "2000-01-01"},
    {"kind": "hole", "asset_class": "hole", "times": 1, "name": _NAME},
    {"name": _NAME, "percent": 1},
)


def mended(model: type[S], raw: object) -> tuple[S | None, list[ErrorDetails], set[Path]]:
    """Give the entry, what was wrong with it, and where stand-ins are; no entry where none could help."""
    said: dict[Path, list[ErrorDetails]] = {}
    tried: dict[Path, int] = {}
    whole = deepcopy(raw)
    while True:
        try:
            return model.model_validate(whole), [each for at in said.values() for each in at], set(tried)
        except ValidationError as error:
            errors = _own(error.errors())
        new = [each for each in errors if each["loc"] not in said and _around(each["loc"], tried) is None]
        for each in new:
            said.setdefault(each["loc"], []).append(each)
        extra = {each["loc"] for each in errors if each["type"] == "extra_forbidden"}
        wrong = {_around(at, tried) or at for each in errors if (at := each["loc"]) not in extra}
        for at in extra:
            _put(whole, at, _ABSENT)
        for at in wrong:
            tried[at] = tried.get(at, -1) + 1
            if not at or tried[at] == len(_STAND_INS):
                return None, [each for found in said.values() for each in found], set()
            _put(whole, at, deepcopy(_STAND_INS[tried[at]]) if tried[at] else _ABSENT)


def contradictions(spec: BaseModel, path: Path) -> Iterator[tuple[Path, tuple[str, ...], str]]:
    """Give where parts of a spec, or of one inside it, contradict each other: path, keys, what is right."""
    if isinstance(spec, Spec):
        for keys, right in spec.contradictions():
            yield path, keys, right
    for name, info in type(spec).model_fields.items():
        value, inner = getattr(spec, name), (*path, info.alias or name)
        if isinstance(value, BaseModel):
            yield from contradictions(value, inner)
        elif isinstance(value, tuple):
            for index, part in enumerate(value):
                if isinstance(part, BaseModel):
                    yield from contradictions(part, (*inner, index))


def _own(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """To pydantic a list of wrong entries only is too short as well; to its author it is not."""
    return [
        each
        for each in errors
        if each["type"] != "too_short"
        or not any(other["loc"][: len(each["loc"])] == each["loc"] for other in errors if other is not each)
    ]


def _around(at: Path, tried: dict[Path, int]) -> Path | None:
    return next((hole for hole in tried if at[: len(hole)] == hole), None)


def _put(whole: object, at: Path, value: object) -> None:
    """Put a value where a path leads; in a list nothing can be absent, as places are counted."""
    around = whole
    for step in at[:-1]:
        around = around[step]  # type: ignore[index]  # pydantic has been there
    if isinstance(around, dict):
        if value is _ABSENT:
            around.pop(at[-1], None)
        else:
            around[at[-1]] = value
    elif isinstance(around, list) and isinstance(at[-1], int):
        around[at[-1]] = None if value is _ABSENT else value
