"""From what a rule file says of severities and of flapping to compiled parts, checking them on the way."""

from collections.abc import Iterable
from typing import Literal

from rules.document import Keys
from rules.moments import span
from rules.rule import SEVERITIES, Flapping, Offline, Rung, Severity, Silent, Trigger
from rules.rule_reach import check_side
from rules.schema import FlappingSpec, RungSpec
from rules.scope import Scope
from rules.sheet import Sheet


def compile_ladder(
    sheet: Sheet, path: Keys, base: Severity, rungs: Iterable[RungSpec], scope: Scope
) -> tuple[Rung, ...]:
    """The rungs of a rule's ladder; what is wrong with one is noted."""
    found = [_rung(sheet, (*path, "ladder", n), base, spec, scope) for n, spec in enumerate(rungs)]
    return tuple(rung for rung in found if rung is not None)


def _rung(sheet: Sheet, path: Keys, base: Severity, spec: RungSpec, scope: Scope) -> Rung | None:
    before = len(sheet.problems)
    if SEVERITIES.index(spec.severity) <= SEVERITIES.index(base):
        message = f"a rung lifts the alarm: {spec.severity} is not above {base}, where the rule begins"
        sheet.note((*path, "severity"), message)
    when = None
    if spec.when is not None:
        when = sheet.condition((*path, "when"), spec.when, scope)
        for message in check_side("rung", when, scope) if when is not None else ():
            sheet.note((*path, "when"), message)
        if spec.after is not None:
            message = "`after` counts from the alarm's beginning, `when` has `for`: make two rungs of it"
            sheet.note((*path, "after"), message, key=True)
    else:
        for word, given in (("for", spec.hold), ("during", spec.during)):
            if given is not None:
                sheet.note((*path, word), f"`{word}` goes with `when`", key=True)
        if spec.after is None and spec.down_after is None:
            sheet.note(path, "a rung needs `when`, `after` or `down_after`")
    during = None if spec.during is None else sheet.during((*path, "during"), spec.during)
    if len(sheet.problems) > before:
        return None
    return Rung(
        severity=spec.severity,
        when=when,
        hold=span(spec.hold) if spec.hold else 0,
        after=span(spec.after) if spec.after else 0,
        down_after=span(spec.down_after) if spec.down_after else None,
        during=during,
    )


def check_ladder(sheet: Sheet, path: Keys, rungs: Iterable[Rung], triggers: Iterable[Trigger]) -> None:
    """Note rungs that do not go with what raises the rule."""
    if not any(isinstance(each, Silent | Offline) for each in triggers):
        return
    for n, rung in enumerate(rungs):
        for word, given in (("when", rung.when), ("down_after", rung.down_after)):
            if given is not None:
                message = f"`{word}` does not go with silence: a device that is gone says nothing new"
                sheet.note((*path, "ladder", n, word), message, key=True)


def compile_flapping(
    spec: FlappingSpec | Literal[False] | None, otherwise: Flapping | None
) -> Flapping | None:
    """How often is too often: the rule's own word, or the file's, or never."""
    if spec is None:
        return otherwise
    if spec is False:
        return None
    within = span(spec.within)
    return Flapping(spec.times, within, within if spec.quiet is None else span(spec.quiet))
