"""What the rules remember of one device: kept as JSON in `device_state.state`, so that any process can go on.

All moments are whole microseconds since 1970. `since` and `at` are event time; `wall` is when we knew of it
(never before the event time itself), from which timers count.
"""

import msgspec

from rules.conditions import Value
from rules.rule import Severity
from rules.windows import Pasts

VERSION = 2
OLDEST = 1


class NewerState(Exception):
    """A device's memory was written by a newer release; `version` is its own, VERSION the newest we know."""

    def __init__(self, version: int) -> None:
        super().__init__(f"rule state of version {version}; this release knows up to {VERSION}: upgrade it")
        self.version = version


class Since(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that has been so since a moment, and when we knew."""

    at: int
    wall: int


class Stand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a rung of a severity ladder stands.

    `since`: with a condition, since when that has said the contrary; without, when it last came down.
    """

    up: bool = False
    since: Since | None = None


class Memory(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one rule remembers of one device. Triggers are named by their position."""

    holding: dict[int, Since] = {}  # conditions that are true
    hits: dict[int, tuple[int, ...]] = {}  # when counted triggers fired, oldest first
    raised: int | None = None  # the live alarm
    event_at: int | None = None  # the newest event that said so: only what is newer can end it
    page_at: int | None = None  # people were not told of it yet; look again at this (wall) moment
    last: Since | None = None  # the newest event, or the end of the condition: `clear_after` counts from here
    ending: Since | None = None  # it is over since then, unless it comes back within `keep`
    rungs: dict[int, Stand] = {}  # of its severity ladder, by position
    severity: Severity | None = None  # what the ladder made of it, where that is not the rule's own
    begun: tuple[int, ...] = ()  # when it was raised lately, oldest first: what flaps
    flaps: int = 0  # how often it came back lately; the live alarm flaps if this is not 0

    @property
    def is_empty(self) -> bool:
        """Nothing worth keeping."""
        return self.raised is None and not self.holding and not self.hits and not self.begun


class DeviceState(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """All that is remembered of one device.

    `v` says what a release must know to read all of it: 1 at first, 2 where rules have windows, ladders or
    flapping. A release that knows less refuses the device (NewerState): it would forget the rest.
    """

    v: int = OLDEST
    signals: dict[str, tuple[int, Value]] = {}  # the latest value of each signal that rules read
    events: dict[str, int] = {}  # the latest moment of each event code that rules follow
    rules: dict[str, Memory] = {}
    latest: int = 0  # the newest event time of anything
    heard: int | None = None  # our clock when it last said something new
    online: bool | None = None
    online_at: int = 0
    windows: Pasts = {}  # the past of the signals whose movement rules follow
    marks: dict[str, str] = {}  # by which logic each of `rules` was made: see rules.renewal


class _Version(msgspec.Struct):
    v: int = OLDEST


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(DeviceState)


def encode_state(state: DeviceState) -> bytes:
    """The state as JSON."""
    return _encoder.encode(state)


def dump_state(state: DeviceState) -> str:
    """The state as JSON text."""
    return encode_state(state).decode()


def load_state(text: str | bytes) -> DeviceState:
    """The state from its JSON, or NewerState."""
    try:
        state = _decoder.decode(text)
    except msgspec.ValidationError:
        version = msgspec.json.decode(text, type=_Version).v
        if version > VERSION:
            raise NewerState(version) from None
        raise
    if state.v > VERSION:
        raise NewerState(state.v)
    return state
