"""Topics: what we subscribe to, and who speaks about what on each."""

import re
from typing import Literal, NamedTuple

from gateway.refusals import Refused, shown

Kind = Literal["up", "status", "pay", "ask", "chirpstack", "things_stack"]

SUBSCRIPTIONS = (
    "clerestory/+/+/up",
    "clerestory/+/+/status",
    "clerestory/+/+/pay",
    "clerestory/+/+/ask",
    "application/+/device/+/event/up",
    "v3/+/devices/+/up",
)

LONGEST_TOPIC = 300  # bytes; a topic may have 65,535
NATIVE_PARTS = 4

_CHIRPSTACK = re.compile(r"application/[^/]+/device/([0-9A-Fa-f]{16})/event/up")
_THINGS_STACK = re.compile(r"v3/[^/]+/devices/([^/]+)/up")
_KINDS: dict[str, Kind] = {"up": "up", "status": "status", "pay": "pay", "ask": "ask"}


class Route(NamedTuple):
    """Who speaks, and how. `speaker` is a device code, a DevEUI, or The Things Stack's device id."""

    kind: Kind
    community: str
    speaker: str


def route(topic: str) -> Route:
    """Read a topic, or refuse it."""
    if len(topic) > LONGEST_TOPIC or len(topic.encode()) > LONGEST_TOPIC:
        raise Refused(
            "bad_topic", f"topic {shown(topic)!r} is over {LONGEST_TOPIC} bytes; right would be at most that"
        )
    parts = topic.split("/")
    if len(parts) == NATIVE_PARTS and parts[0] == "clerestory" and parts[3] in _KINDS:
        _, community, speaker, kind = parts
        if community and speaker:
            return Route(_KINDS[kind], community, speaker)
    if chirpstack := _CHIRPSTACK.fullmatch(topic):
        return Route("chirpstack", "", chirpstack[1].lower())
    if things_stack := _THINGS_STACK.fullmatch(topic):
        return Route("things_stack", "", things_stack[1])
    raise Refused("bad_topic", f"topic {shown(topic)!r}; right would be clerestory/COMMUNITY/DEVICE/up")
