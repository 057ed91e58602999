"""Topics: what we subscribe to, and who speaks about what on each."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

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

LONGEST_TOPIC = 300  # bytes; a topic may have 65,535, and we remember topics

_NATIVE = re.compile(r"clerestory/([^/]+)/([^/]+)/(up|status|pay|ask)")
_CHIRPSTACK = re.compile(r"application/[^/]+/device/([0-9A-Fa-f]{16})/event/up")
_THINGS_STACK = re.compile(r"v3/[^/]+/devices/([^/]+)/up")
_KINDS: dict[str, Kind] = {"up": "up", "status": "status", "pay": "pay", "ask": "ask"}


@dataclass(frozen=True, slots=True)
class Route:
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
    return _route(topic)


@lru_cache(maxsize=65_536)
def _route(topic: str) -> Route:
    if native := _NATIVE.fullmatch(topic):
        community, speaker, kind = native.groups()
        return Route(_KINDS[kind], community, speaker)
    if chirpstack := _CHIRPSTACK.fullmatch(topic):
        return Route("chirpstack", "", chirpstack[1].lower())
    if things_stack := _THINGS_STACK.fullmatch(topic):
        return Route("things_stack", "", things_stack[1])
    raise Refused("bad_topic", f"topic {shown(topic)!r}; right would be clerestory/COMMUNITY/DEVICE/up")
