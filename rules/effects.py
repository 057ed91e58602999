"""What a step of the rules causes."""

from collections.abc import Mapping
from dataclasses import dataclass

from rules.conditions import Value
from rules.rule import Rule, Severity


@dataclass(frozen=True, slots=True)
class Raised:
    """The alarm began at `at` (event time); we knew at `wall`. `page`: people are to be told now."""

    rule: Rule
    at: int
    wall: int
    page: bool
    facts: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Paged:
    """An alarm nobody was told of is still true: people are to be told now."""

    rule: Rule
    wall: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """The alarm ended at `at` (event time)."""

    rule: Rule
    at: int


@dataclass(frozen=True, slots=True)
class Stepped:
    """A live alarm became more or less severe at `at` (event time). `page`: people are to be told now."""

    rule: Rule
    at: int
    wall: int
    severity: Severity
    page: bool


@dataclass(frozen=True, slots=True)
class Flapped:
    """An alarm that flaps came back once more: still one alarm, of which more is known."""

    rule: Rule
    wall: int
    facts: Mapping[str, Value]


Effect = Raised | Paged | Cleared | Stepped | Flapped
