"""Whether a measure in a condition (`rate(signal, 1h)`, `since(event)`) is asked as it can be answered."""

from rules.expressions import Call, Name, Node, Span
from rules.measures import LONGEST, SHORTEST, measure_of
from rules.scope import Scope, nearest

_EXAMPLES = {
    "rate": "rate(signal, 1h)",
    "mean": "mean(signal, 1h)",
    "forecast": "forecast(signal, 6h)",
    "since": "since(event) < 30m",
}


Misfit = tuple[Node, str]
"""The part of a call that does not fit, and what would be right."""


def mistake_in(call: Call, scope: Scope) -> Misfit | None:
    """What is wrong with a call of a measure, or None."""
    example = f"write {_EXAMPLES[call.function]}"
    if not call.arguments or call.offset > call.arguments[0].offset:
        return call, example
    subject, *rest = call.arguments
    if not isinstance(subject, Name):
        return subject, f"{call.function!r} is asked of a name: {example}"
    if call.function == "since":
        if rest:
            return rest[0], f"'since' takes one event: {example}"
        return _wrong_event(subject, scope)
    return _wrong_signal(subject, call.function, scope) or _wrong_span(call, rest, example)


def _wrong_event(subject: Name, scope: Scope) -> Misfit | None:
    if subject.name not in scope.events:
        hint = nearest(subject.name, scope.events)
        return subject, f"{subject.name!r} is not an event of {scope.asset_class}{hint}"
    if subject.name in scope.raising:
        message = f"{subject.name!r} raises this: it is always 0 s ago; say `times` and `within`"
        return subject, message
    return None


def _wrong_signal(subject: Name, function: str, scope: Scope) -> Misfit | None:
    signal = scope.signals.get(subject.name)
    if signal is None:
        hint = nearest(subject.name, tuple(scope.signals))
        return subject, f"{subject.name!r} is not a signal of {scope.asset_class}{hint}"
    if signal.type == "number":
        return None
    what = "true or false" if signal.type == "boolean" else "a word"
    return subject, f"{function!r} needs a signal that is a number; {subject.name} is {what}"


def _wrong_span(call: Call, rest: list[Node], example: str) -> Misfit | None:
    if not rest:
        return call, f"over how long? {example}"
    length, *more = rest
    if not isinstance(length, Span):
        return length, f"{call.function!r} takes a signal and a span of time: {example}"
    if more or measure_of(call) is None:
        return more[0] if more else call, f"{call.function!r} takes a signal and a span of time: {example}"
    if not SHORTEST <= length.length <= LONGEST[call.function]:
        return length, f"a span of {call.function!r} is from 1m to {LONGEST[call.function].days}d"
    return None
