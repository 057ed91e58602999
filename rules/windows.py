"""The past of a signal, as much of it as conditions ask for, and what they make of it. Pure.

A window keeps samples in the device's state: JSON, at most MOST of them and a few, so a device that reports
quickly cannot make its state grow. Time is divided into cells of a MOSTth of the window, the same for every
device; of each cell the newest sample counts. What reports no quicker than a cell is long loses nothing.

What is kept is a function of the set of samples alone, never of the order in which they were heard: of every
cell its newest (of one moment the first heard, as in the database); of the cells before the one in which the
window begins only the newest. So a late reading changes a window's value exactly as if it had come in order.

Most readings only replace the newest sample: all others are kept as they were written, and read when asked.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from config.vocabulary import Signal
from rules.forecast import Sample, forecast
from rules.measures import Measure, Window
from rules.moments import HOUR

MOST = 120


class Past(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The samples of one window: the newest, and as JSON those of the cells before, oldest first."""

    at: int
    value: float
    before: msgspec.Raw

    @property
    def samples(self) -> list[Sample]:
        """All of them, oldest first."""
        return [*_decode(self.before), (self.at, self.value)]


Pasts = dict[str, Past]
"""By the key of their window."""

_NOTHING = msgspec.Raw(b"[]")
_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(list[tuple[int, float]]).decode


def with_sample(past: Past | None, window: Window, at: int, value: float) -> Past:
    """The past with one more sample; the very same if the sample makes no difference."""
    if past is None:
        return Past(at, value, _NOTHING)
    cell = max(1, window.length // MOST)
    mine, newest = at // cell, past.at // cell
    if mine == newest:
        return Past(at, value, past.before) if at > past.at else past
    before = _decode(past.before)
    if mine > newest:
        before.append((past.at, past.value))
        return Past(at, value, _written(before, window, at, cell))
    position = bisect_left(before, (mine * cell,))
    if position < len(before) and before[position][0] // cell == mine:
        if before[position][0] >= at:
            return past
        before[position] = (at, value)
    else:
        before.insert(position, (at, value))
    written = _written(before, window, past.at, cell)
    return past if written == past.before else Past(past.at, past.value, written)


def _written(before: list[Sample], window: Window, newest: int, cell: int) -> msgspec.Raw:
    """As JSON, without what lies further back than the newest sample before the window's first cell.

    That cell is told by the newest sample's own, so that it is the same wherever in its cell that lies.
    """
    first = (newest // cell * cell - window.length) // cell * cell
    position = bisect_left(before, (first,))
    return msgspec.Raw(_encoder.encode(before[max(0, position - 1) :]))


def followed(
    windows: Mapping[str, tuple[Window, ...]], pasts: Pasts, at: int, values: Mapping[str, object]
) -> Pasts:
    """All windows with what was said at a moment; the very same if that makes no difference."""
    grown: Pasts | None = None
    for name, mine in windows.items():
        value = values.get(name)
        if value is None:
            continue
        for window in mine:
            known = pasts.get(window.key)
            kept = with_sample(known, window, at, value)  # type: ignore[arg-type] # only numbers are followed
            if kept is not known:
                grown = pasts.copy() if grown is None else grown
                grown[window.key] = kept
    return pasts if grown is None else grown


def measured(measure: Measure, pasts: Pasts, signal: Signal) -> float | None:
    """What a window says now (at its newest sample), or None while it does not reach back far enough."""
    window = measure.window
    past = None if window is None else pasts.get(window.key)
    if past is None:
        return None
    if measure.function == "forecast":
        return _within(signal, forecast(past.samples, measure.length))
    return _over(past.samples, measure)


def _over(samples: Sequence[Sample], measure: Measure) -> float | None:
    newest, value = samples[-1]
    start = newest - measure.length
    position = bisect_right(samples, start, key=lambda sample: sample[0]) - 1
    if position < 0:
        return None
    if measure.function == "rate":
        since, before = samples[position]
        return (value - before) / ((newest - since) / HOUR)
    spans = pairwise(samples[position:])
    return sum(before * (end - max(begin, start)) for (begin, before), (end, _) in spans) / measure.length


def _within(signal: Signal, value: float | None) -> float | None:
    if value is None:
        return None
    if signal.minimum is not None:
        value = max(value, signal.minimum)
    return value if signal.maximum is None else min(value, signal.maximum)
