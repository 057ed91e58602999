"""The past of a signal, as much of it as conditions ask for, and what they make of it. Pure.

A window keeps samples in the device's state: JSON, at most MOST of them and a few, so a device that reports
quickly cannot make its state grow. Time is divided into cells of a MOSTth of the window, the same for every
device; of each cell the newest sample counts. What reports no quicker than a cell is long loses nothing.

What is kept is a function of the set of samples alone, never of the order in which they were heard: of every
cell its newest (of one moment the first heard, as in the database); of the cells before the one in which the
window begins only the newest. So a late reading changes a window's value exactly as if it had come in order.

Most readings only replace the newest sample: all others are kept as they were written, and read when asked.
What a forecast makes of them is kept beside them, so that it need not read them at every message.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from operator import mul, sub

import msgspec

from config.vocabulary import Signal
from rules.forecast import Cycles, cycles_of
from rules.measures import HISTORY, Measure, Window
from rules.moments import HOUR, SECOND

MOST = 120


Sample = tuple[int, float]
"""A moment in microseconds, and the value from then on."""


class Past(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The samples of one window: the newest, and as JSON those of the cells before, oldest first.

    `before` has their values, and between each and the next the seconds that lie between: short, so that a
    device's state fits a page of the database without being compressed. `last` is the moment of the newest of
    them. `cycles`: what they tell a forecast, in windows that are as long as one needs.
    """

    at: int
    value: float
    last: int = 0
    before: msgspec.Raw = msgspec.Raw(b"[]")
    cycles: Cycles | None = None

    @property
    def samples(self) -> list[Sample]:
        """All of them, oldest first."""
        return [*_unrolled(_decode(self.before), self.last), (self.at, self.value)]


Pasts = dict[str, Past]
"""By the key of their window."""

_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(list[int | float]).decode


def with_sample(past: Past | None, window: Window, at: int, value: float) -> Past:
    """The past with one more sample; the very same if the sample makes no difference."""
    if past is None:
        return Past(at, value)
    cell = max(1, window.length // MOST)
    mine, newest = at // cell, past.at // cell
    if mine == newest:
        return Past(at, value, past.last, past.before, past.cycles) if at > past.at else past
    roll = _decode(past.before)
    if mine > newest:
        if roll:
            roll.append(_seconds(past.at - past.last))
        roll.append(past.value)
        return _past(at, value, past.at, roll, window)
    before = _unrolled(roll, past.last)
    position = bisect_left(before, (mine * cell,))
    if position < len(before) and before[position][0] // cell == mine:
        if before[position][0] >= at:
            return past
        before[position] = (at, value)
    else:
        before.insert(position, (at, value))
    grown = _past(past.at, past.value, before[-1][0], _rolled(before), window)
    return past if (grown.last, grown.before) == (past.last, past.before) else grown


def _past(at: int, value: float, last: int, roll: list[float], window: Window) -> Past:
    """Without what lies further back than the newest sample before the window's first cell.

    That cell is told by the newest sample's own, so that it is the same wherever in its cell that lies.
    """
    cell = max(1, window.length // MOST)
    first = (at // cell * cell - window.length) // cell * cell
    begun, dropped = last - _microseconds(roll[1::2]), 0
    while dropped + 2 < len(roll):
        begun += _microseconds(roll[dropped + 1 : dropped + 2])
        if begun >= first:
            break
        dropped += 2
    del roll[:dropped]
    cycles = cycles_of(roll[::2], roll[1::2]) if window.length == HISTORY else None
    return Past(at, value, last, msgspec.Raw(_encoder.encode(roll)), cycles)


def _rolled(samples: Sequence[Sample]) -> list[float]:
    """Value, seconds to the next, its value and so on."""
    roll: list[float] = []
    for (at, value), (following, _) in pairwise(samples):
        roll += (value, _seconds(following - at))
    return [*roll, samples[-1][1]]


def _unrolled(roll: Sequence[float], last: int) -> list[Sample]:
    if not roll:
        return []
    gaps = [round(seconds * SECOND) for seconds in roll[-2::-2]]  # the latest first
    moments = [*accumulate(gaps, sub, initial=last)]
    return [*zip(reversed(moments), roll[::2], strict=True)]


def _seconds(span: int) -> float:
    """A whole number where it is one: shorter, and quicker to read."""
    seconds, rest = divmod(span, SECOND)
    return span / SECOND if rest else seconds


def _microseconds(seconds: Sequence[float]) -> int:
    """All of them together, exactly: what is no whole number is rounded before it is added."""
    together = sum(seconds)
    if isinstance(together, int):
        return together * SECOND
    return sum(round(each * SECOND) for each in seconds)


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
        return _within(signal, _forecast(past, measure.length))
    return _over(past, measure)


def _forecast(past: Past, ahead: int) -> float | None:
    cycles = past.cycles
    if cycles is not None and not cycles.tells(past.value):
        roll = _decode(past.before)
        cycles = cycles_of(roll[::2], roll[1::2], past.value)
    if cycles is None:
        return None
    return cycles.forecast(past.value, (past.at - past.last) / SECOND, ahead / SECOND)


def _over(past: Past, measure: Measure) -> float | None:
    """A rate or a mean, from the newest sample that is as old as the span: one of the first there are."""
    roll = _decode(past.before)
    values, gaps = roll[::2], [*roll[1::2], _seconds(past.at - past.last)]
    start = past.at - measure.length
    begun, position = past.at - _microseconds(gaps), 0
    if not values or begun > start:
        return None
    while (following := begun + _microseconds(gaps[position : position + 1])) <= start:
        begun, position = following, position + 1
    if measure.function == "rate":
        return (past.value - values[position]) / ((past.at - begun) / HOUR)
    first = values[position] * ((following - start) / SECOND)
    later = map(mul, values[position + 1 :], gaps[position + 1 :])
    return sum(later, first) / (measure.length / SECOND)


def _within(signal: Signal, value: float | None) -> float | None:
    if value is None:
        return None
    if signal.minimum is not None:
        value = max(value, signal.minimum)
    return value if signal.maximum is None else min(value, signal.maximum)
