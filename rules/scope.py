"""The names a condition may use, and what is said of one that does not fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from config.vocabulary import Signal
from rules.ruleset import AttributeRule


@dataclass(frozen=True, slots=True)
class Scope:
    """The names a condition may use. `raising` are the events at which it is asked."""

    asset_class: str
    signals: Mapping[str, Signal]
    attributes: Mapping[str, AttributeRule]
    event: bool = False
    events: tuple[str, ...] = ()
    raising: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a condition, at a character of it."""

    offset: int
    message: str


def nearest(name: str, known: tuple[str, ...]) -> str:
    """A hint at what may have been meant."""
    close = get_close_matches(name, known, n=2, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(repr(each) for each in close)}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""
