"""YAML of which a value that is not what it looks like stays as it is written, for its field to refuse.

The library raises what Python raises: a `ValueError` without a place for 2026-02-30 or `!!int foo`. So a
mistake of one value would hide where it stands, and every other mistake.
"""

from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node, ScalarNode

# Beyond this no number is meant, and reckoning with it may fail or never end.
LARGEST_WHOLE: Final = 2**63 - 1
_TAG: Final = "tag:yaml.org,2002:"


class NotYaml(ValueError):
    """A text that is not YAML; `line` and `column` from 1."""

    def __init__(self, line: int, column: int, why: str) -> None:
        super().__init__(" ".join(why.split()))
        self.line = line
        self.column = column


class _Constructor(RoundTripConstructor):
    def construct_scalar_or_text(self, node: Node) -> object:
        """What a number, a truth, or a moment say; where they say none, what is written."""
        known = RoundTripConstructor.yaml_constructors[node.tag]
        try:
            value = known(self, node)
        except (ValueError, LookupError, ArithmeticError, TypeError, AssertionError):
            return str(node.value) if isinstance(node, ScalarNode) else f"a list or mapping with {node.tag}"
        too_large = isinstance(value, int) and not -LARGEST_WHOLE <= value <= LARGEST_WHOLE
        return str(node.value) if too_large else value

    def construct_text(self, node: Node) -> object:
        """What is written: no file of ours holds bytes."""
        return str(node.value)


_Constructor.add_constructor(f"{_TAG}binary", _Constructor.construct_text)
for _kind in ("bool", "int", "float", "timestamp"):
    _Constructor.add_constructor(_TAG + _kind, _Constructor.construct_scalar_or_text)


def parse(text: str) -> Any:  # noqa: ANN401 - whatever is written
    """The content with the place of each part, as `ruamel.yaml` keeps it; raises `NotYaml`."""
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise NotYaml(line, column, str(error.problem or error.context or error)) from error
    except RecursionError as error:
        raise NotYaml(1, 1, "nested too deeply") from error
    except YAMLError as error:
        raise NotYaml(1, 1, str(error)) from error
    except TypeError as error:  # the library's word for a key that is itself a mapping or a list
        why = "a key is itself a mapping or a list; put a key with { or [ in quotes"
        raise NotYaml(1, 1, why) from error
    # Whatever else a text makes the library stumble over, such as tags that do not go with what they tag.
    except Exception as error:
        raise NotYaml(1, 1, f"cannot be read: {type(error).__name__}: {error}") from error
