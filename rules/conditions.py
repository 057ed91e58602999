"""Conditions of rules: CEL over the latest signals, the event and the asset's attributes, with three answers.

`cel` (the Common Expression Language in Rust) is what a condition means. A name not heard yet makes the
answer unknown where it matters: `a || b` is true when `a` is, whatever `b`; `a && b` is unknown while `b` is
and `a` is not false. Building CEL's context costs more than evaluating, so everyday conditions have a
shortcut, `rules.shortcut`. What CEL cannot know (`rate`, `mean`, `forecast`, `since`) stands among the values
under its slot, see `rules.measures`.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cel

from rules.expressions import ExpressionError, Node, parse
from rules.measures import Measure, as_cel, measures_of, plain_names
from rules.shortcut import Shortcut, shortcut

if TYPE_CHECKING:
    from cel import Program

Value = bool | float | str

# What evaluation can fail with: a name without a value, types that do not fit, a missing key, arithmetic.
_UNKNOWN = (RuntimeError, TypeError, LookupError, ValueError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition, its types checked. `signals` and `attributes` are the names it reads.

    `signals` are all whose news may change the answer, `latest` those whose latest value counts; `variables`
    are CEL's names for the slots of `measures`.
    """

    source: str
    tree: Node = field(compare=False, repr=False)
    program: "Program" = field(compare=False, repr=False)
    quick: Shortcut | None = field(compare=False, repr=False)
    signals: tuple[str, ...]
    latest: tuple[str, ...]
    attributes: tuple[str, ...]
    event_fields: tuple[str, ...]
    measures: tuple[Measure, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

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
        context: dict[str, object] = {name: values[name] for name in self.latest if name in values}
        for variable, slot in self.variables.items():
            with suppress(KeyError):  # like a signal that was not heard yet
                context[variable] = values[slot]
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
    plain, attributes, event_fields = _sorted(plain_names(tree))
    measures = measures_of(tree)
    latest = tuple(name for name in plain if "(" not in name)
    followed = {each.subject for each in measures if each.window is not None}
    for_cel, variables = as_cel(source, tree)
    try:
        program = cel.compile(for_cel)
    except ValueError as error:
        raise ExpressionError(0, f"CEL does not take it: {str(error).splitlines()[0]}") from error
    return Condition(
        source=source,
        tree=tree,
        program=program,
        quick=shortcut(tree),
        signals=tuple(sorted({*latest, *followed})),
        latest=latest,
        attributes=attributes,
        event_fields=event_fields,
        measures=measures,
        variables=variables,
    )


def _sorted(mentioned: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Signals and slots, attributes, fields of the event."""
    names = sorted(mentioned)
    attributes = tuple(name.removeprefix("asset.") for name in names if name.startswith("asset."))
    fields = tuple(name.removeprefix("event.") for name in names if name.startswith("event."))
    return tuple(name for name in names if "." not in name), attributes, fields
