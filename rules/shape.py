"""What pydantic finds wrong with a document, at its place and in our words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from rules.document import Document, Problem
from rules.scope import nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# pydantic names the branch of a union it tried; only what stands in the file is a place.
_MODELS = ("GroupSpec",)
_BRANCHES = ("literal[", "function-", "constrained-", "nullable", "bool", "float", "str", *_MODELS)


def misshapen(document: Document, error: ValidationError, parts: Sequence[type[BaseModel]]) -> list[Problem]:
    """Every mistake of shape; `parts` know the words that may be used."""
    words = tuple({field.alias or name for part in parts for name, field in part.model_fields.items()})
    problems: dict[tuple[int, int, str], Problem] = {}
    for each in error.errors():
        problem = _problem(document, each, words)
        # Of the branches of a union the first explains what is usually meant.
        missing = problem.message if each["type"] == "missing" else ""
        problems.setdefault((problem.line, problem.column, missing), problem)
    return list(problems.values())


def _problem(document: Document, error: "ErrorDetails", words: tuple[str, ...]) -> Problem:
    parts = list(error["loc"])
    while parts and str(parts[-1]).startswith(_BRANCHES) and tuple(parts) not in document:
        parts.pop()
    path = tuple(part for part in parts if not str(part).startswith(("literal[", "function-", *_MODELS)))
    name = str(path[-1]) if path else "the file"
    match error["type"]:
        case "extra_forbidden":
            hint = "; it does not belong here" if name in words else nearest(name, words)
            return document.at(path, f"unknown field {name!r}{hint}", key=True)
        case "missing":
            return document.at(path, f"{name!r} is missing here", key=True)
        case "model_type" | "dict_type" | "dataclass_type":
            return document.at(path, f"{name}: should be a mapping, not {str(error['input'])[:60]!r}")
        case "value_error":
            return document.at(path, f"{name}: {error['ctx']['error']}")
        case _:
            message = f"{error['msg'][:1].lower()}{error['msg'][1:]}"
            return document.at(path, f"{name}: {message}, not {str(error['input'])[:60]!r}")
