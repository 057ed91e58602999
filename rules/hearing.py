"""From a message as the gateway parsed it to inputs of the engine, one for each moment it speaks of. Pure."""

from gateway.signals import Heard
from rules.conditions import Value
from rules.engine import Input, Said, Status
from rules.moments import to_moment
from rules.ruleset import RuleSet


def inputs(heard: Heard, rules: RuleSet) -> list[Input]:
    """What one message says, oldest first."""
    received = to_moment(heard.received_at)
    found: list[Input] = []
    if heard.online is not None:
        found.append(Status(received, heard.online, heard.retained))
    values: dict[int, dict[str, Value]] = {}
    events: dict[int, dict[str, str]] = {}
    ts, moment = None, 0
    for reading in heard.readings:
        if reading.ts is not ts:
            ts, moment = reading.ts, to_moment(reading.ts)
        values.setdefault(moment, {})[reading.signal] = rules.value(reading)
    for event in heard.events:
        # The first of a code at a moment is the one that is stored.
        events.setdefault(to_moment(event.ts), {}).setdefault(event.code, event.detail)
    moments = values if not events else sorted(values.keys() | events.keys())
    found += [Said(each, received, values.get(each, {}), events.get(each, {})) for each in sorted(moments)]
    return found
