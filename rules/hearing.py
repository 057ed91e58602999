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
    ts, numbers = None, rules.numbers
    of_moment: dict[str, Value] = {}
    for reading in heard.readings:
        if reading.ts is not ts:
            ts = reading.ts
            of_moment = values.setdefault(to_moment(ts), {})
        name = reading.signal
        of_moment[name] = reading.value if name in numbers else rules.value(reading)
    for event in heard.events:
        # The first of a code at a moment is the one that is stored.
        events.setdefault(to_moment(event.ts), {}).setdefault(event.code, event.detail)
    if len(values) == 1 and not events:
        [(moment, said)] = values.items()
        found.append(Said(moment, received, said))
        return found
    moments = sorted(values.keys() | events.keys())
    found += [Said(each, received, values.get(each, {}), events.get(each, {})) for each in moments]
    return found
