"""What is known of a device in one step: latest values, what rules work out of its past, attributes. Pure."""

from collections.abc import Mapping

import msgspec

from rules.conditions import Value
from rules.moments import SECOND
from rules.rule import Happens, Holds, Trigger
from rules.ruleset import RulePlan, RuleSet
from rules.state import DeviceState
from rules.windows import measured


class View(msgspec.Struct, frozen=True, gc=False):
    """What is known of the device in this step: latest values with their moments, attributes."""

    signals: Mapping[str, tuple[int, Value]]
    values: Mapping[str, Value]
    asset: Mapping[str, Value]
    zone: str = "UTC"

    def blocks(self, trigger: Trigger) -> bool:
        """Whether something is known to be the case that keeps a trigger from raising."""
        unless = trigger.unless
        return unless is not None and unless.evaluate(self.values, self.asset) is True

    def counts(self, trigger: Holds | Happens, moment: int) -> bool:
        """Whether a trigger may raise at a moment."""
        during = trigger.during
        return (during is None or during.has(moment, self.zone)) and not self.blocks(trigger)

    def moment(self, plan: RulePlan) -> int:
        """Since when all the values a rule reads have been in place."""
        return max((self.signals[name][0] for name in plan.signals if name in self.signals), default=0)


def view_of(rules: RuleSet, state: DeviceState, asset: Mapping[str, Value], zone: str) -> View:
    """The view of a device; `asset` are its attributes, `zone` its community's time zone."""
    return View(state.signals, values_of(rules, state), asset, zone)


def values_of(rules: RuleSet, state: DeviceState) -> Mapping[str, Value]:
    """What conditions read of signals: latest values, and what the rules work out of their past."""
    latest = state.signals.items()
    if not rules.measures:
        return {name: value for name, (_, value) in latest}
    values = Measured([(name, value) for name, (_, value) in latest])
    values.rules, values.state = rules, state
    return values


class Measured(dict[str, Value]):
    """Latest values that also know the measures of the rules, by their slots, worked out when asked for."""

    __slots__ = ("rules", "state")
    rules: RuleSet
    state: DeviceState

    def __missing__(self, name: str) -> Value:
        measure, state = self.rules.measures[name], self.state
        if measure.function == "since":
            found = (state.latest - state.events[measure.subject]) / SECOND
        else:
            known = measured(measure, state.windows, self.rules.signals[measure.subject])
            if known is None:
                raise KeyError(name)
            found = known
        self[name] = found
        return found
