"""From one rule as it is written to the compiled rule, checking that its words make sense together."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from rules.compile_hold import compile_group, compile_hold
from rules.compile_ladder import check_ladder, compile_flapping, compile_ladder
from rules.conditions import Condition
from rules.document import Keys
from rules.during import During
from rules.moments import span
from rules.rule import LATE_AFTER, Flapping, Happens, Holds, Offline, OrderTemplate, Rule, Silent, Trigger
from rules.rule_reach import check_reach
from rules.schema import OrderSpec, RuleSpec, TriggerSpec
from rules.scope import Scope, nearest
from rules.sheet import Sheet


@dataclass(slots=True)
class RuleCompiler:
    """Compiles one rule. A part that is wrong is noted and left out, so that the rest can be checked too."""

    sheet: Sheet
    path: Keys
    scope: Scope
    file_unless: Condition | None
    file_flapping: Flapping | None = None

    def rule(self, code: str, spec: RuleSpec) -> Rule:
        """The compiled rule; use it only if nothing was noted."""
        before = len(self.sheet.problems)
        places = [((*self.path, "any", n), each) for n, each in enumerate(spec.any or ())]
        if not places:
            places = [(self.path, spec)]
        elif _trigger_words(spec):
            self._note(
                "any",
                f"beside `any` there is also `{_trigger_words(spec)[0]}`: put it into a trigger of the list",
            )
        unless = self._unless(self.path, spec, self.file_unless)
        during = self._during(self.path, spec, None)
        found = [(path, self._trigger(path, each, unless, during)) for path, each in places]
        triggers = {path: trigger for path, trigger in found if trigger is not None}
        rule = Rule(
            code=code,
            asset_class=self.scope.asset_class,
            severity=spec.severity,
            title=spec.title.text(),
            meaning=spec.meaning.text(),
            todo=spec.todo.text(),
            safety=spec.safety.text(),
            order=None if spec.order is None else self._order(spec.order),
            triggers=tuple(triggers.values()),
            clear=self._optional("clear", spec.clear),
            clear_on=frozenset(self._codes((*self.path, "clear_on"), spec.clear_on or ())),
            clear_after=_span(spec.clear_after),
            keep=_span(spec.keep) or 0,
            late_after=_span(spec.late_after) or LATE_AFTER,
            held_by=compile_hold(self.sheet, self.path, spec, self.scope),
            group=compile_group(self.sheet, self.path, spec),
            ladder=compile_ladder(self.sheet, self.path, spec.severity, spec.ladder or (), self.scope),
            flapping=compile_flapping(spec.flapping, self.file_flapping),
        )
        check_ladder(self.sheet, self.path, rule.ladder, rule.triggers)
        self._check_ending(rule, spec)
        if len(self.sheet.problems) == before:
            self._check_reach(rule, triggers)
        return rule

    def _note(self, part: str, message: str) -> None:
        self.sheet.note((*self.path, part), message, key=True)

    def _optional(self, part: str, source: str | None) -> Condition | None:
        return None if source is None else self.sheet.condition((*self.path, part), source, self.scope)

    def _unless(self, path: Keys, spec: TriggerSpec, otherwise: Condition | None) -> Condition | None:
        if spec.unless is None:
            return otherwise
        return None if spec.unless is False else self.sheet.unless((*path, "unless"), spec.unless, self.scope)

    def _during(self, path: Keys, spec: TriggerSpec, otherwise: During | None) -> During | None:
        if spec.during is None:
            return otherwise
        return None if spec.during is False else self.sheet.during((*path, "during"), spec.during)

    def _codes(self, path: Keys, codes: Iterable[str]) -> list[str]:
        for n, code in enumerate(codes):
            if code not in self.scope.events:
                hint = nearest(code, self.scope.events)
                self.sheet.note((*path, n), f"{code!r} is not an event of {self.scope.asset_class}{hint}")
        return list(codes)

    def _trigger(
        self, path: Keys, spec: TriggerSpec, otherwise: Condition | None, otherwhile: During | None
    ) -> Trigger | None:
        forms = [word for word in ("when", "on", "silent", "offline") if getattr(spec, word) is not None]
        if forms not in (["when"], ["on"], ["when", "on"], ["silent"], ["offline"]):
            what = f"has {' and '.join(forms)}" if forms else "says nothing"
            self.sheet.note(
                path,
                f"a trigger is `when`, `on`, `on` with `when`, `silent` or `offline`; this {what}",
                key=True,
            )
            return None
        self._check_words(path, spec, forms)
        hold, within, times = _span(spec.hold) or 0, _span(spec.within) or 0, spec.times or 1
        own = path != self.path
        unless = self._unless(path, spec, otherwise) if own else otherwise
        during = self._during(path, spec, otherwhile) if own else otherwhile
        if during is not None and forms[0] in {"silent", "offline"}:
            where = (*(path if spec.during is not None else self.path), "during")
            self.sheet.note(where, "`during` does not go with silence: it is noticed when it is", key=True)
        if spec.silent is not None:
            return Silent(None if spec.silent == "by_profile" else span(spec.silent), unless)
        if spec.offline is not None:
            return Offline(hold, unless)
        when = None
        if spec.when is not None:
            raising = frozenset(spec.on or ())
            scope = replace(self.scope, event=spec.on is not None, raising=raising)
            when = self.sheet.condition((*path, "when"), spec.when, scope)
        if spec.on is not None:
            return Happens(
                frozenset(self._codes((*path, "on"), spec.on)), when, times, within, unless, during
            )
        return None if when is None else Holds(when, hold, times, within, unless, during)

    def _check_words(self, path: Keys, spec: TriggerSpec, forms: list[str]) -> None:
        if (spec.times is None) != (spec.within is None):
            there, missing = ("times", "within") if spec.within is None else ("within", "times")
            self.sheet.note((*path, there), f"`{there}` needs `{missing}`: so often within so long", key=True)
        if spec.times is not None and forms[0] in {"silent", "offline"}:
            self.sheet.note((*path, "times"), f"`times` does not go with `{forms[0]}`", key=True)
        if spec.hold is not None and (forms not in (["when"], ["offline"]) or spec.times is not None):
            why = (
                "an event has no length"
                if "on" in forms
                else "it goes with `when` or `offline`, without `times`"
            )
            self.sheet.note((*path, "for"), f"`for` does not go here: {why}", key=True)

    def _order(self, spec: OrderSpec) -> OrderTemplate:
        ordered = [
            (name, length) for name in ("respond", "arrive", "complete") if (length := getattr(spec, name))
        ]
        for (first, shorter), (second, longer) in pairwise(ordered):
            if shorter > longer:
                message = f"`{second}` ({longer}) is before `{first}` ({shorter})"
                self.sheet.note((*self.path, "order", second), message)
        codes = [item.code for item in spec.checklist]
        for n, code in enumerate(codes):
            if code in codes[:n]:
                self.sheet.note((*self.path, "order", "checklist", n, "code"), f"{code!r} is here twice")
        return OrderTemplate(
            kind=spec.kind,
            skill=spec.skill,
            cancel_on_clear=spec.cancel_on_clear,
            checklist=tuple(spec.checklist),
            respond=spec.respond,
            arrive=spec.arrive,
            complete=spec.complete,
        )

    def _check_ending(self, rule: Rule, spec: RuleSpec) -> None:
        silence = [each for each in rule.triggers if isinstance(each, Silent | Offline)]
        endings = [
            word for word in ("clear", "clear_on", "clear_after", "keep") if getattr(spec, word) is not None
        ]
        if silence:
            if len(rule.triggers) > len(silence):
                self._note(
                    "any", "`silent` and `offline` go with nothing else: give them a rule of their own"
                )
            for word in endings:
                self._note(word, f"`{word}` does not go with silence: it ends when the device is heard again")
            return
        by_itself = all(isinstance(each, Holds) and each.times == 1 for each in rule.triggers)
        if not by_itself and not {"clear", "clear_on", "clear_after"} & set(endings):
            message = "an event never ends by itself: say `clear`, `clear_on` or `clear_after`"
            self.sheet.note(self.path, message, key=True)
        if by_itself and spec.clear_after is not None:
            self._note(
                "clear_after", "`clear_after` counts from the last event, and this rule has none: say `keep`"
            )
        raising = frozenset(
            code for each in rule.triggers if isinstance(each, Happens) for code in each.codes
        )
        for n, code in enumerate(spec.clear_on or ()):
            if code in raising:
                self.sheet.note((*self.path, "clear_on", n), f"{code!r} raises this alarm too")

    def _check_reach(self, rule: Rule, triggers: dict[Keys, Trigger]) -> None:
        for part, message in check_reach(rule, self.scope):
            place = (*list(triggers)[part], "when") if isinstance(part, int) else (*self.path, part)
            self.sheet.note(place, message)


def _trigger_words(spec: TriggerSpec) -> list[str]:
    words = ("when", "on", "silent", "offline", "times", "within")
    return [word for word in words if getattr(spec, word) is not None] + (["for"] if spec.hold else [])


def _span(length: timedelta | None) -> int | None:
    return None if length is None else span(length)
