"""The rules of one asset class, indexed by what they listen to."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal, Self

from config.text import Text, misprint
from config.vocabulary import Signal
from rules.conditions import Condition, Value
from rules.measures import Measure, Window, windows_of
from rules.rule import MODE, Happens, Holds, Offline, Rule, Silent


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """An attribute that conditions read as `asset.name`, and what holds where an asset does not say."""

    name: str
    type: Literal["number", "boolean", "text"]
    default: Value
    minimum: float | None
    maximum: float | None
    label: Text

    def problem(self, value: object) -> str | None:
        """What is wrong with an asset's value, or None."""
        fits = {
            "number": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
            "text": isinstance(value, str),
        }[self.type]
        if not fits:
            return f"{self.name}: {value!r} is not a {self.type}"
        if isinstance(value, int | float) and self.type == "number":
            low, high = self.minimum, self.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                return f"{self.name}: {value!r} is outside {low} to {high}"
        if isinstance(value, str) and (wrong := misprint(value)) is not None:
            return f"{self.name}: {value!r} {wrong.en}"
        return None

    def of(self, attributes: Mapping[str, object]) -> Value:
        """An asset's value, or the default where it has none that fits."""
        value = attributes.get(self.name)
        if value is None or self.problem(value) is not None:
            value = self.default
        return float(value) if self.type == "number" else value  # type: ignore[arg-type,return-value]


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A rule with what the engine asks of it at every step, worked out once; triggers with their position."""

    rule: Rule
    signals: tuple[str, ...]
    slots: tuple[str, ...]  # of its measures
    holds: tuple[tuple[int, Holds], ...]
    happens: tuple[tuple[int, Happens], ...]
    codes: frozenset[str]
    timers: Mapping[int, int]  # how long each trigger must hold before it raises
    ends_by_itself: bool  # when none of its conditions is true any longer

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """Work it out."""
        holds = tuple((n, each) for n, each in enumerate(rule.triggers) if isinstance(each, Holds))
        happens = tuple((n, each) for n, each in enumerate(rule.triggers) if isinstance(each, Happens))
        timers = {n: each.hold for n, each in holds if each.times == 1}
        timers |= {n: each.hold for n, each in enumerate(rule.triggers) if isinstance(each, Offline)}
        told = rule.clear is not None or bool(rule.clear_on) or rule.clear_after is not None
        by_itself = not told and not happens
        slots = tuple(each.slot for each in rule.measures)
        return cls(rule, rule.signals, slots, holds, happens, rule.codes, timers, ends_by_itself=by_itself)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What the engine needs of one asset class. Indexes are positions in `rules`."""

    asset_class: str
    rules: tuple[Rule, ...]
    plans: tuple[RulePlan, ...]
    attributes: Mapping[str, AttributeRule]
    signals: Mapping[str, Signal]
    index: Mapping[str, int]
    by_signal: Mapping[str, tuple[int, ...]]
    by_code: Mapping[str, tuple[int, ...]]
    silent: tuple[int, ...]
    offline: tuple[int, ...]
    presence: frozenset[int]  # the rules about the device being there at all
    measures: Mapping[str, Measure]  # by slot
    windows: Mapping[str, tuple[Window, ...]]  # by signal
    window_keys: frozenset[str]
    by_window: Mapping[str, tuple[int, ...]]  # the rules that follow the past of a signal
    by_since: Mapping[str, tuple[int, ...]]  # the rules that ask how long ago an event was
    version: int  # of the state that these rules need
    defaults: Mapping[str, Value]  # the attributes of an asset that says nothing
    numbers: frozenset[str]  # the signals whose stored value is what they mean
    plainly_silent: tuple[int | None, ...] | None  # `after` of each, where that alone decides
    _reading: dict[tuple[str, ...], AbstractSet[int]] = field(default_factory=dict, compare=False, repr=False)
    _beginning: dict[tuple[str, ...], tuple[Condition, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(
        cls,
        asset_class: str,
        rules: Iterable[Rule],
        attributes: Mapping[str, AttributeRule],
        signals: Mapping[str, Signal],
    ) -> Self:
        """Index the rules of one class."""
        listed = tuple(rules)
        by_signal: dict[str, list[int]] = {}
        by_code: dict[str, list[int]] = {}
        by_window: dict[str, list[int]] = {}
        by_since: dict[str, list[int]] = {}
        for position, rule in enumerate(listed):
            since = {each.subject for each in rule.measures if each.window is None}
            for index, names in (
                (by_signal, rule.signals),
                (by_code, sorted(rule.codes | since)),
                (by_window, sorted({each.signal for each in windows_of(rule.measures)})),
                (by_since, sorted(since)),
            ):
                for name in names:
                    index.setdefault(name, []).append(position)
        silent = tuple(n for n, rule in enumerate(listed) if rule.listens_to(Silent))
        offline = tuple(n for n, rule in enumerate(listed) if rule.listens_to(Offline))
        measures = [measure for rule in listed for measure in rule.measures]
        windows = windows_of(measures)
        if any(rule.held_by.inspection for rule in listed):
            by_signal.setdefault(MODE, [])  # remembered, though no condition may read it
        return cls(
            asset_class=asset_class,
            rules=listed,
            plans=tuple(RulePlan.of(rule) for rule in listed),
            attributes=attributes,
            signals=signals,
            index={rule.code: position for position, rule in enumerate(listed)},
            by_signal=_fixed(by_signal),
            by_code=_fixed(by_code),
            silent=silent,
            offline=offline,
            presence=frozenset((*silent, *offline)),
            measures={each.slot: each for each in measures},
            windows={name: tuple(each for each in windows if each.signal == name) for name in by_window},
            window_keys=frozenset(each.key for each in windows),
            by_window=_fixed(by_window),
            by_since=_fixed(by_since),
            defaults={name: each.of({}) for name, each in attributes.items()},
            numbers=frozenset(name for name, signal in signals.items() if signal.type == "number"),
            plainly_silent=_plainly_silent(listed),
            version=2 if windows or any(rule.ladder or rule.flapping for rule in listed) else 1,
        )

    @classmethod
    def empty(cls) -> "RuleSet":
        """The set of a class that has no rules."""
        return _EMPTY

    def reading(self, names: tuple[str, ...]) -> AbstractSet[int]:
        """The rules that read any of these signals; devices say the same ones again and again."""
        known = self._reading.get(names)
        if known is None:
            found = {position for name in names for position in self.by_signal[name]}
            known = self._reading[names] = dict.fromkeys(sorted(found)).keys()
        return known

    def beginning(self, names: tuple[str, ...]) -> tuple[Condition, ...]:
        """By which conditions the rules that read any of these signals begin to remember something."""
        known = self._beginning.get(names)
        if known is None:
            plans = [self.plans[position] for position in self.reading(names)]
            known = tuple(trigger.when for plan in plans for _, trigger in plan.holds)
            self._beginning[names] = known
        return known

    def joined(self, other: "RuleSet") -> "RuleSet":
        """Both sets' rules as one."""
        return RuleSet.of(
            self.asset_class,
            (*self.rules, *other.rules),
            {**self.attributes, **other.attributes},
            self.signals,
        )

    def asset(self, attributes: Mapping[str, object]) -> Mapping[str, Value]:
        """An asset's attributes as conditions see them."""
        if self.defaults.keys().isdisjoint(attributes):
            return self.defaults
        return {name: rule.of(attributes) for name, rule in self.attributes.items()}

    def meant(self, values: Mapping[str, float]) -> Mapping[str, Value]:
        """Stored numbers as what their signals mean: numbers, booleans, words."""
        if values.keys() <= self.numbers:
            return values
        return {name: self.value(name, value) for name, value in values.items()}

    def value(self, name: str, value: float) -> Value:
        """A stored number as what the signal means: a number, a boolean or one of its words."""
        signal = self.signals.get(name)
        if signal is None or signal.type == "number":
            return float(value)
        if signal.type == "boolean":
            return value != 0.0
        return signal.values[int(value)]


def _fixed(index: Mapping[str, Iterable[int]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(positions) for name, positions in index.items()}


def _plainly_silent(rules: Iterable[Rule]) -> tuple[int | None, ...] | None:
    found = [[each for each in rule.triggers if isinstance(each, Silent)] for rule in rules]
    plain = all(len(each) <= 1 and all(one.unless is None for one in each) for each in found)
    return tuple(one.after for each in found for one in each) if plain else None


_EMPTY = RuleSet.of("", (), {}, {})
