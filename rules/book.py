"""The rules of the house, read and compiled, by asset class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from config.text import Text
from rules.compile import compile_text
from rules.document import Document, Problem, RuleFileError
from rules.holds import check_holds
from rules.rule import OrderTemplate, Rule
from rules.ruleset import AttributeRule, RuleSet
from rules.sources import Source, file_sources, read_sources, shipped_rules

__all__ = [
    "OrderTemplate",
    "Rule",
    "RuleBook",
    "load_rulebook",
    "load_sources",
    "shipped_rules",
    "site_rulebook",
]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules, compiled. `sets` is by asset class."""

    sets: Mapping[str, RuleSet]
    _by_code: dict[str, Rule] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_code.update({rule.code: rule for each in self.sets.values() for rule in each.rules})

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(self._by_code.values())

    def rule(self, code: str) -> Rule:
        """The rule of a code; KeyError when there is none."""
        return self._by_code[code]

    def for_class(self, asset_class: str | None) -> RuleSet:
        """The rules of one asset class; a set without rules for a class that has none."""
        return self.sets.get(asset_class or "", RuleSet.empty())

    def attributes(self, asset_class: str) -> Mapping[str, AttributeRule]:
        """What the rules of a class read from its assets' attributes, with types and defaults."""
        return self.for_class(asset_class).attributes

    def kinds(self) -> dict[str, Text]:
        """Every kind of work that some rule opens, with the title of the first that does."""
        kinds: dict[str, Text] = {}
        for rule in self._by_code.values():
            if rule.order is not None:
                kinds.setdefault(rule.order.kind, rule.title)
        return kinds


def site_rulebook(directory: Path | None) -> RuleBook:
    """The shipped rules and those of a site's own folder, read once; raises RuleFileError."""
    return load_rulebook() if directory is None else _with(directory)


@cache
def _with(directory: Path) -> RuleBook:
    return load_sources(file_sources(directory))


def load_rulebook(paths: Iterable[Path] | None = None) -> RuleBook:
    """Read rule files (the shipped ones unless told otherwise), or raise RuleFileError with every mistake."""
    if paths is None:
        return _shipped()
    return load_sources(read_sources(paths), _classes(_shipped().rules))


def _classes(rules: Iterable[Rule]) -> dict[str, str]:
    return {rule.code: rule.asset_class for rule in rules}


@cache
def _shipped() -> RuleBook:
    return load_sources(file_sources(None))


def load_sources(sources: Iterable[Source], beside: Mapping[str, str] | None = None) -> RuleBook:
    """Compile rule files into one book, or raise RuleFileError with every mistake of all of them.

    `beside`: the asset class of rules that are not among them and may be named.
    """
    problems: list[Problem] = []
    sets: dict[str, RuleSet] = {}
    seen: dict[str, str] = {}
    read: list[tuple[Document, tuple[Rule, ...]]] = []
    for source in sources:
        compiled = compile_text(source.text, source.place)
        problems += compiled.problems
        for code in compiled.codes:
            if code in seen:
                problems.append(
                    compiled.document.at(("rules", code), f"{code!r} is also in {seen[code]}", key=True)
                )
            seen[code] = source.place
        if compiled.rules is not None:
            read.append((compiled.document, compiled.rules.rules))
            known = sets.get(compiled.rules.asset_class)
            sets[compiled.rules.asset_class] = (
                compiled.rules if known is None else known.joined(compiled.rules)
            )
    problems += check_holds(read, {**(beside or {}), **_classes(rule for _, rules in read for rule in rules)})
    if problems:
        raise RuleFileError(problems)
    return RuleBook(sets)
