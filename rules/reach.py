"""Whether conditions can come true at all, and whether raising and clearing exclude each other.

Each numeric signal's declared range is cut at every value it is compared with; one value from each piece, the
cuts and the ends stand for all. Booleans and words are tried in full, attributes at their least, default and
greatest. All combinations are evaluated with the conditions themselves. A finding "both are true" always
comes with values that show it. "Never" and "always" are only said where the pieces are exact: where no signal
enters arithmetic or is compared with another signal, no text function is used, and the combinations are few
enough to try all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product

from rules.conditions import Condition, Value
from rules.expressions import Binary, Call, Listing, Literal, Node, Span, walk
from rules.fixed import OPERATORS, fixed_number
from rules.measures import Measure, is_measure, plain_names
from rules.scope import Scope

_MOST = 20_000
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})
_BOUNDLESS = 1e12


@dataclass(frozen=True, slots=True)
class World:
    """One combination of values to try."""

    signals: Mapping[str, Value]
    asset: Mapping[str, Value]
    event: Mapping[str, str]

    def __str__(self) -> str:
        said = {**self.signals, **{f"asset.{name}": value for name, value in self.asset.items()}}
        return ", ".join(f"{name} = {_shown(value)}" for name, value in said.items())


@dataclass(frozen=True, slots=True)
class Answers:
    """What one condition said over all worlds tried."""

    ever_true: World | None
    ever_false: World | None


@dataclass(frozen=True, slots=True)
class Survey:
    """The worlds for some conditions together, and whether they stand for all there are."""

    worlds: tuple[World, ...]
    complete: bool

    def answers(self, condition: Condition) -> Answers:
        """Where a condition is true and where it is not."""
        true = next((world for world in self.worlds if _says(condition, world)), None)
        false = next((world for world in self.worlds if not _says(condition, world)), None)
        return Answers(true, false)

    def together(self, holding: Iterable[Condition], failing: Iterable[Condition] = ()) -> World | None:
        """A world in which all of `holding` are true and none of `failing` is."""
        held, failed = tuple(holding), tuple(failing)
        for world in self.worlds:
            if all(_says(each, world) for each in held) and not any(_says(each, world) for each in failed):
                return world
        return None


def survey(conditions: Sequence[Condition], scope: Scope, codes: Iterable[str] = ()) -> Survey:
    """Choose the worlds in which to try some conditions."""
    trees = [condition.tree for condition in conditions]
    attributes = {name for condition in conditions for name in condition.attributes}
    measures = {each.slot: each for condition in conditions for each in condition.measures}
    signals = {name for condition in conditions for name in condition.latest}.union(measures)
    events = any(condition.event_fields for condition in conditions)
    worlds: list[World] = []
    for asset in _assets(sorted(attributes), scope):
        cuts = _cuts(trees, asset)
        choices = [
            _signal_values(name, cuts, scope)
            if name not in measures
            else _measured(measures[name], cuts, scope)
            for name in sorted(signals)
        ]
        said = _events(codes, trees) if events else [{}]
        combinations = (
            World(dict(zip(sorted(signals), values, strict=True)), asset, event)
            for event in said
            for values in product(*choices)
        )
        worlds += islice(combinations, _MOST + 1 - len(worlds))
        if len(worlds) > _MOST:
            return Survey(tuple(worlds), complete=False)
    return Survey(tuple(worlds), complete=all(_is_exact(tree) for tree in trees))


def _says(condition: Condition, world: World) -> bool:
    return condition.evaluate(world.signals, world.asset, world.event) is True


def _assets(attributes: Sequence[str], scope: Scope) -> Iterator[dict[str, Value]]:
    choices: list[list[Value]] = []
    for name in attributes:
        rule = scope.attributes[name]
        if rule.type == "boolean":
            choices.append([False, True])
        elif rule.type == "text":
            choices.append([rule.default])
        else:
            ends = (rule.default, rule.minimum, rule.maximum)
            choices.append(sorted({float(each) for each in ends if each is not None}))
    for values in product(*choices):
        yield dict(zip(attributes, values, strict=True))


def _cuts(trees: Iterable[Node], asset: Mapping[str, Value]) -> list[float]:
    """The numbers that signals are compared with, given the attributes."""
    found: set[float] = set()
    for tree in trees:
        for node in walk(tree):
            number = node.length.total_seconds() if isinstance(node, Span) else fixed_number(node, asset)
            if number is not None:
                found.add(number)
    return sorted(found)


def _signal_values(name: str, cuts: Sequence[float], scope: Scope) -> list[Value]:
    signal = scope.signals[name]
    if signal.type == "boolean":
        return [False, True]
    if signal.type == "enum":
        return list(signal.values)
    low = -_BOUNDLESS if signal.minimum is None else signal.minimum
    high = _BOUNDLESS if signal.maximum is None else signal.maximum
    return _pieces(low, high, cuts)


def _measured(measure: Measure, cuts: Sequence[float], scope: Scope) -> list[Value]:
    """What a measure may be; it is tried as if it had nothing to do with the signal's latest value."""
    match measure.function:
        case "rate":
            return _pieces(-_BOUNDLESS, _BOUNDLESS, cuts)
        case "since":
            return _pieces(0.0, _BOUNDLESS, cuts)
        case _:
            return _signal_values(measure.subject, cuts, scope)


def _pieces(low: float, high: float, cuts: Sequence[float]) -> list[Value]:
    points = sorted({low, high, *(cut for cut in cuts if low <= cut <= high)})
    between = [(first + second) / 2 for first, second in pairwise(points)]
    return sorted([*points, *between])


def _events(codes: Iterable[str], trees: Iterable[Node]) -> list[dict[str, str]]:
    texts = {node.value for tree in trees for node in walk(tree) if isinstance(node, Literal)}
    details = sorted({text for text in texts if isinstance(text, str)} | {"", "something else"})
    return [{"code": code, "detail": detail} for code in sorted(codes) for detail in details]


def _is_exact(tree: Node) -> bool:
    for node in walk(tree):
        if isinstance(node, Call) and not is_measure(node):
            return False
        if isinstance(node, Binary) and not _is_exact_operator(node):
            return False
    return True


def _is_exact_operator(node: Binary) -> bool:
    left, right = _reads_signal(node.left), _reads_signal(node.right)
    if node.operator in _ARITHMETIC:
        return node.operator in OPERATORS and not (left or right)
    if node.operator in {"&&", "||"} or isinstance(node.right, Listing):
        return True
    return not (left and right)


def _reads_signal(node: Node) -> bool:
    return any("." not in name for name in plain_names(node))


def _shown(value: Value) -> str:
    return (
        f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else value
    )
