"""What a rule can never do: be raised, be cleared, or know its raise from its clear."""

from collections.abc import Iterator

from rules.conditions import Condition
from rules.reach import Survey, survey
from rules.rule import Happens, Holds, Rule
from rules.scope import Scope

Part = int | str  # the position of a trigger, or the name of a field

_NEVER = {
    "clear": "the alarm would never end by it",
    "unless": "it keeps nothing back",
    "rung": "the alarm would never come to be so severe",
}
_ALWAYS = {
    "clear": "the alarm would end at once",
    "unless": "the alarm would never be raised",
    "rung": "the alarm would always be so severe",
}


def check_reach(rule: Rule, scope: Scope) -> list[tuple[Part, str]]:
    """Every condition of a rule that cannot do its work, with values that show it where there are some."""
    found: list[tuple[Part, str]] = []
    triggers = [(n, each) for n, each in enumerate(rule.triggers) if isinstance(each, Holds | Happens)]
    for position, trigger in triggers:
        codes = trigger.codes if isinstance(trigger, Happens) else ()
        if trigger.when is not None:
            others = [each for each in (trigger.unless, rule.clear) if each is not None]
            tried = survey([trigger.when, *others], scope, codes)
            found += ((position, each) for each in _trigger(trigger, rule, tried))
    if rule.clear is not None:
        found += (("clear", each) for each in check_side("clear", rule.clear, scope))
    return found


def _trigger(trigger: Holds | Happens, rule: Rule, tried: Survey) -> Iterator[str]:
    when = trigger.when
    if when is None:
        return
    answers = tried.answers(when)
    if tried.complete and answers.ever_true is None:
        yield "this can never be true within the declared ranges: the alarm would never be raised"
        return
    if tried.complete and answers.ever_false is None:
        yield "this is true for every value within the declared ranges: the alarm would always be there"
        return
    unless = trigger.unless
    if tried.complete and unless is not None and tried.together([when], failing=[unless]) is None:
        yield f"only true when `unless` ({unless.source}) is too: the alarm would never be raised"
    if isinstance(trigger, Holds) and rule.clear is not None:
        both = tried.together([when, rule.clear])
        if both is not None:
            yield f"raised and cleared at once, for example when {both}: let `clear` exclude `when`"


def check_side(part: str, condition: Condition, scope: Scope) -> Iterator[str]:
    """What is wrong with a `clear`, an `unless` or the `when` of a rung taken alone."""
    tried = survey([condition], scope)
    if not tried.complete:
        return
    answers = tried.answers(condition)
    if answers.ever_true is None:
        effect = _NEVER[part]
        yield f"this can never be true within the declared ranges: {effect}"
    elif answers.ever_false is None:
        effect = _ALWAYS[part]
        yield f"this is true for every value within the declared ranges: {effect}"
