"""What conditions can ask beyond the latest values: how a signal moved, where it is heading, how long ago.

    rate(signal, t)      change per hour, from the newest reading that is at least `t` older to the newest one
    mean(signal, t)      time-weighted mean of the last `t`: each reading counts until the next one
    forecast(signal, t)  the value expected `t` after the newest reading, from the device's own history
    since(event)         the time from the last event of that code to the newest thing the device has said

CEL has no such functions: each call becomes a name of its own (a slot), whose value `rules.windows` works out
from what the device's state remembers, and the condition goes on as plain CEL.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, get_args

from rules.expressions import Call, Name, Node, Span, children, walk
from rules.moments import DAY, MINUTE, span, span_in_words

Function = Literal["rate", "mean", "forecast", "since"]
FUNCTIONS = frozenset(get_args(Function))

# A forecast learns from so much of its signal's history.
HISTORY = 14 * DAY
SHORTEST = timedelta(microseconds=MINUTE)
LONGEST = {"rate": timedelta(days=31), "mean": timedelta(days=31), "forecast": timedelta(days=7)}


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """So much of a signal's past, kept as samples in the device's state. `length` in microseconds."""

    signal: str
    length: int
    key: str = field(init=False, compare=False)  # its name in the state

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.signal} {span_in_words(self.length)}")


@dataclass(frozen=True, slots=True)
class Measure:
    """One call in a condition: of a signal over so many microseconds, or of an event code."""

    function: Function
    subject: str
    length: int = 0
    slot: str = field(
        init=False, compare=False
    )  # the name under which its value is known; no signal can have it
    window: Window | None = field(init=False, compare=False)  # the past it is worked out from

    def __post_init__(self) -> None:
        length = f", {span_in_words(self.length)}" if self.length else ""
        object.__setattr__(self, "slot", f"{self.function}({self.subject}{length})")
        past = HISTORY if self.function == "forecast" else self.length
        object.__setattr__(self, "window", None if self.function == "since" else Window(self.subject, past))


def measure_of(call: Call) -> Measure | None:
    """The measure that a well-written call asks for; None for another function or a mistaken call."""
    if not call.arguments or call.offset > call.arguments[0].offset:
        return None  # written as a method, behind its subject
    match call:
        case Call(function="since", arguments=(Name(name=code),)):
            return Measure("since", code)
        case Call(
            function="rate" | "mean" | "forecast" as function, arguments=(Name(name=signal), Span() as ahead)
        ):
            return Measure(function, signal, span(ahead.length))
        case _:
            return None


def measures_of(tree: Node) -> tuple[Measure, ...]:
    """Every measure of a condition, each once, in the order they are written."""
    found = (measure_of(node) for node in walk(tree) if isinstance(node, Call))
    return tuple(dict.fromkeys(each for each in found if each is not None))


def is_measure(node: Node) -> bool:
    """Whether a part of a condition has a slot."""
    return isinstance(node, Call) and measure_of(node) is not None


def plain_names(tree: Node) -> frozenset[str]:
    """The names a condition mentions outside its measures, and the slots of those."""
    return frozenset(_plain(tree))


def _plain(node: Node) -> Iterator[str]:
    match node:
        case Name(name=name):
            yield name
        case Call() if (measure := measure_of(node)) is not None:
            yield measure.slot
        case _:
            for below in children(node):
                yield from _plain(below)


def as_cel(source: str, tree: Node) -> tuple[str, dict[str, str]]:
    """The condition with spans as seconds and measures as variables, and the slot of each variable."""
    written: list[tuple[int, int, str]] = []
    variables: dict[str, str] = {}
    inside: set[int] = set()
    for node in walk(tree):
        if isinstance(node, Call) and (measure := measure_of(node)) is not None:
            variable = f"measure_{len(variables)}"
            variables[variable] = measure.slot
            written.append((node.offset, node.end, variable))
            inside |= {each.offset for each in node.arguments}
        elif isinstance(node, Span) and node.offset not in inside:
            written.append((node.offset, node.end, f"{node.length.total_seconds():.1f}"))
    for start, end, text in sorted(written, reverse=True):
        source = source[:start] + text + source[end:]
    return source, variables


def windows_of(measures: Iterable[Measure]) -> tuple[Window, ...]:
    """The windows that some measures need, each once."""
    return tuple(sorted({each.window for each in measures if each.window is not None}))
