"""The names that conditions use, in the words of the vocabulary and of the rule file. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from config.signal_words import choice
from config.text import Text
from config.vocabulary import Signal, Vocabulary
from rules.expressions import Name, Node
from rules.ruleset import AttributeRule
from rules.wording.parts import both, plain, quoted

# How a text that is compared with something is said: an enumeration's value, an event's code.
Words = Callable[[str], Text]


class NoSentence(Exception):
    """A part of a condition for which there are no words."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the conditions of one asset class may name. `events` are labels by code."""

    signals: Mapping[str, Signal]
    events: Mapping[str, Text]
    attributes: Mapping[str, AttributeRule] = field(default_factory=dict)

    def attribute(self, name: str) -> AttributeRule | None:
        """Return the attribute that a condition reads as `asset.x`, where it is declared."""
        first, dot, rest = name.partition(".")
        return self.attributes.get(rest) if dot and first == "asset" else None

    def event(self, code: str) -> Text:
        """Name an event; one that the vocabulary does not know by its code."""
        return self.events.get(code) or both(code)

    def words_of(self, node: Node) -> Words | None:
        """Return how what a part of a condition is compared with is said, if that has words of its own."""
        if not isinstance(node, Name):
            return None
        if node.name == "event.code":
            return lambda code: quoted(self.event(code))
        signal = self.signals.get(node.name)
        if signal is not None and signal.type == "enum":
            return lambda value: plain(choice(value))
        return None


def names_of(vocabulary: Vocabulary, asset_class: str, attributes: Mapping[str, AttributeRule]) -> Names:
    """Return the names for the rules of one asset class."""
    events = {code: kind.label for code, kind in vocabulary.events.items()}
    return Names(vocabulary.signals_by_class.get(asset_class, {}), events, attributes)
