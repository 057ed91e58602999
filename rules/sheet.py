"""A rule file on the table: its places, and what has been found wrong with it so far."""

from dataclasses import dataclass

from config.calendar import shipped_calendar
from rules.conditions import Condition, compile_condition
from rules.document import Document, Keys, Problem
from rules.during import During, parse_during
from rules.expressions import ExpressionError
from rules.rule_reach import check_side
from rules.scope import Scope, nearest
from rules.type_check import check_types


@dataclass(slots=True)
class Sheet:
    """A document being compiled, and what has been found wrong with it so far."""

    document: Document
    problems: list[Problem]

    def note(self, path: Keys, message: str, *, key: bool = False, offset: int = 0) -> None:
        """Write down a problem at its place."""
        self.problems.append(self.document.at(path, message, key=key, offset=offset))

    def condition(self, path: Keys, source: str, scope: Scope) -> Condition | None:
        """Compile and type-check a condition; what is wrong with it is noted at its characters."""
        try:
            condition = compile_condition(source)
        except ExpressionError as error:
            self.note(path, error.message, offset=error.offset)
            return None
        mistakes = check_types(condition.tree, scope)
        for each in mistakes:
            self.note(path, each.message, offset=each.offset)
        return None if mistakes else condition

    def unless(self, path: Keys, source: str, scope: Scope) -> Condition | None:
        """Compile, type-check and try an `unless`."""
        condition = self.condition(path, source, scope)
        for message in check_side("unless", condition, scope) if condition is not None else ():
            self.note(path, message)
        return condition

    def during(self, path: Keys, source: str) -> During | None:
        """Read named times; a name of none is noted at its characters."""
        calendar = shipped_calendar()
        names = tuple(calendar.schedules)

        def unknown(offset: int, name: str) -> None:
            message = f"{name!r} is no time that config/calendar.yaml names{nearest(name, names)}"
            self.note(path, message, offset=offset)

        return parse_during(source, calendar, unknown)
