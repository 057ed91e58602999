"""From stored rows to what the engine hears: grouped by moment, one device after the other. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from config.vocabulary import Signal
from rules.conditions import Value
from rules.engine import Said
from rules.moments import to_moment

# Position of the device, moment, signal's number and value of a reading, or code and detail of an event.
Row = tuple[int, datetime, int | None, float | None, str | None, str | None]
Reader = Callable[[float], Value | None]


def readers(signals: Mapping[str, Signal], numbers: Mapping[str, int]) -> dict[int, tuple[str, Reader]]:
    """How to read each signal's stored numbers, by the signal's own number."""
    return {numbers[name]: (name, _reader(signal)) for name, signal in signals.items() if name in numbers}


def _reader(signal: Signal) -> Reader:
    if signal.type == "boolean":
        return lambda value: value != 0.0
    if signal.type == "enum":
        words = tuple(signal.values)
        # A word that the vocabulary no longer has was never said.
        return lambda value: words[int(value)] if 0 <= value < len(words) else None
    return float


class Reel:
    """Takes rows in order of device and time, and hands on what each device said, moment by moment."""

    def __init__(
        self,
        known: Sequence[Mapping[int, tuple[str, Reader]]],
        hear: Callable[[int, Said], None],
        change: Callable[[int, int], None],
    ) -> None:
        """`known` are each device's readers; `change` is told which device ends and which begins."""
        self._known = known
        self._hear = hear
        self._change = change
        self._device = -1
        self._ts: datetime | None = None
        self._values: dict[str, Value] = {}
        self._events: dict[str, str] = {}
        self.readings = 0
        self.events = 0
        self.first: datetime | None = None  # of all devices

    def feed(self, rows: Iterable[Row]) -> None:
        """Take some more rows."""
        device, ts, values, events = self._device, self._ts, self._values, self._events
        known = self._known[device] if device >= 0 else {}
        readings = 0
        for number, at, signal, value, code, detail in rows:
            if at != ts or number != device:
                if ts is not None:
                    self._flush(device, ts, values, events)
                values, events, ts = {}, {}, at
                if number != device:
                    self._change(device, number)
                    device, known = number, self._known[number]
                    self.first = at if self.first is None else min(self.first, at)
            if signal is not None and value is not None:
                readings += 1
                reader = known.get(signal)
                if reader is not None and (read := reader[1](value)) is not None:
                    values[reader[0]] = read
            elif code is not None:
                events[code] = detail or ""
                self.events += 1
        self.readings += readings
        self._device, self._ts, self._values, self._events = device, ts, values, events

    def end(self) -> None:
        """There are no more rows."""
        if self._ts is not None:
            self._flush(self._device, self._ts, self._values, self._events)
        self._change(self._device, len(self._known))

    def _flush(self, device: int, ts: datetime, values: dict[str, Value], events: dict[str, str]) -> None:
        moment = to_moment(ts)
        self._hear(device, Said(moment, moment, values, events))
