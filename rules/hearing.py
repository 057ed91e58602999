"""From a message as the gateway parsed it to inputs of the engine, one for each moment it speaks of. Pure."""

from gateway.signals import Heard
from rules.conditions import Value
from rules.engine import Input, Said, Status, only_repeated
from rules.moments import to_moment
from rules.ruleset import RuleSet
from rules.state import DeviceState


def inputs(heard: Heard, rules: RuleSet) -> list[Input]:
    """What one message says, oldest first."""
    received, measured = to_moment(heard.received_at), heard.measured
    if len(measured) == 1 and not heard.events and heard.online is None:  # nearly always
        return [Said(to_moment(measured[0].ts), received, rules.meant(measured[0].values))]
    found: list[Input] = []
    if heard.online is not None:
        found.append(Status(received, heard.online, heard.retained))
    values: dict[int, dict[str, Value]] = {}
    events: dict[int, dict[str, str]] = {}
    for each in measured:
        values.setdefault(to_moment(each.ts), {}).update(rules.meant(each.values))
    for event in heard.events:
        # The first of a code at a moment is the one that is stored.
        events.setdefault(to_moment(event.ts), {}).setdefault(event.code, event.detail)
    moments = sorted(values.keys() | events.keys())
    found += [Said(at, received, values.get(at, {}), events.get(at, {})) for at in moments]
    return found


def tells(known: DeviceState, *, online: bool, retained: bool) -> bool:
    """Whether a status is worth keeping: gone, or there again; not what the broker only repeats."""
    return not only_repeated(known, retained=retained) and (not online or known.online is not True)
