"""Conditions of rules: CEL over the latest signals, the event and the asset's attributes, with three answers.

`cel` (the Common Expression Language in Rust) is what a condition means. A name not heard yet makes the
answer unknown where it matters: `a || b` is true when `a` is, whatever `b`; `a && b` is unknown while `b` is
and `a` is not false. Building CEL's context costs more than evaluating, so everyday conditions have a
shortcut, `rules.shortcut`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cel

from rules.expressions import ExpressionError, Node, names, parse
from rules.shortcut import Shortcut, shortcut

if TYPE_CHECKING:
    from cel import Program

Value = bool | float | str

# What evaluation can fail with: a name without a value, types that do not fit, a missing key, arithmetic.
_UNKNOWN = (RuntimeError, TypeError, LookupError, ValueError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition, its types checked. `signals` and `attributes` are the names it reads."""

    source: str
    tree: Node = field(compare=False, repr=False)
    program: "Program" = field(compare=False, repr=False)
    quick: Shortcut | None = field(compare=False, repr=False)
    signals: tuple[str, ...]
    attributes: tuple[str, ...]
    event_fields: tuple[str, ...]

    def evaluate(
        self,
        values: Mapping[str, Value],
        asset: Mapping[str, Value],
        event: Mapping[str, str] | None = None,
    ) -> bool | None:
        """True, False, or None when it cannot be known from what has been heard."""
        if self.quick is not None:
            try:
                return self.quick(values, asset) is True
            except KeyError:
                return None
        return self.ask_cel(values, asset, event)

    def ask_cel(
        self,
        values: Mapping[str, Value],
        asset: Mapping[str, Value],
        event: Mapping[str, str] | None = None,
    ) -> bool | None:
        """The same by CEL itself."""
        context: dict[str, object] = {name: values[name] for name in self.signals if name in values}
        if self.attributes:
            context["asset"] = asset
        if self.event_fields and event is not None:
            context["event"] = event
        try:
            answer = self.program.execute(context)
        except _UNKNOWN:
            return None
        return answer if isinstance(answer, bool) else None


def compile_condition(source: str) -> Condition:
    """Compile a condition, or raise ExpressionError at the place that does not fit."""
    tree = parse(source)
    mentioned = names(tree)
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ExpressionError(0, f"CEL does not take it: {str(error).splitlines()[0]}") from error
    return Condition(
        source=source,
        tree=tree,
        program=program,
        quick=shortcut(tree),
        signals=tuple(sorted(name for name in mentioned if "." not in name)),
        attributes=_under("asset.", mentioned),
        event_fields=_under("event.", mentioned),
    )


def _under(prefix: str, mentioned: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix(prefix) for name in mentioned if name.startswith(prefix)))
