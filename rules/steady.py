"""Which rules need no step, though something new was said or time went by. Pure.

Most of what a device says while an alarm is on only says that it goes on. To see that is much quicker than to
step the rule (`rules.case`), which would come to the same: a property test holds the one to the other.
"""

from rules.ruleset import RulePlan
from rules.state import Memory
from rules.view import View


def waits(plan: RulePlan, memory: Memory) -> bool:
    """Whether our clock alone may change anything: not where only news can begin or end an alarm."""
    if memory.raised is None:
        return bool(memory.holding)
    if memory.page_at is not None or memory.ending is not None:
        return True
    return plan.rule.clear_after is not None or bool(plan.rule.ladder)


def goes_on(plan: RulePlan, memory: Memory, view: View, clock: int) -> bool:
    """Whether what a rule remembers is the same with the present values, its alarm on or not.

    Asked where no event of it has come, whatever its signals say. `clock`: event time.
    """
    if memory.hits or waits(plan, memory):
        return False
    if memory.begun and memory.raised is None:
        flapping = plan.rule.flapping
        if flapping is None or memory.begun[0] <= clock - flapping.within:
            return False  # a beginning is so long ago that it counts no more
    values, asset = view.values, view.asset
    held = False
    for position, trigger in plan.holds:
        if trigger.during is not None or trigger.unless is not None:
            return False  # whether it counts may change with the hour
        answer = trigger.when.evaluate(values, asset)
        if answer is not None and answer != (position in memory.holding):
            return False
        held = held or answer is True
    if memory.raised is None:
        return True
    clear = plan.rule.clear
    return held if clear is None else clear.evaluate(values, asset) is not True
