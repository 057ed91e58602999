"""The past of a signal, as much of it as conditions ask for, and what they make of it. Pure.

A window keeps samples in the device's state: JSON, at most MOST of them and two, so a device that reports
quickly cannot make its state grow. Time is divided into cells of a MOSTth of the window, the same for every
device; of each cell the newest sample counts. What reports no quicker than a cell is long loses nothing.

What is kept is a function of the set of samples alone, never of the order in which they were heard: of every
cell its newest (of one moment the first heard, as in the database); of the cells before the one in which the
window begins only the newest. So a late reading changes a window's value exactly as if it had come in order.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise

from config.vocabulary import Signal
from rules.forecast import Sample, forecast
from rules.measures import Measure, Window
from rules.moments import HOUR

MOST = 120
Samples = tuple[Sample, ...]
Pasts = dict[str, Samples]
"""Samples by the key of their window."""


def with_sample(samples: Samples, window: Window, at: int, value: float) -> Samples:
    """The window with one more sample; the very same if the sample makes no difference."""
    cell = max(1, window.length // MOST)
    mine = at // cell
    position = bisect_left(samples, (at // cell * cell,))
    following = samples[position:]
    if following and following[0][0] // cell == mine:
        if following[0][0] >= at:
            return samples
        following = following[1:]
    kept = (*samples[:position], (at, value), *following)
    first = (kept[-1][0] - window.length) // cell * cell  # where the cell begins in which the window does
    before = bisect_left(kept, (first,))
    kept = kept[max(0, before - 1) :]
    return samples if kept == samples else kept


def followed(
    windows: Mapping[str, tuple[Window, ...]], pasts: Pasts, at: int, values: Iterable[tuple[str, float]]
) -> Pasts:
    """All windows with what was said at a moment; the very same if that makes no difference."""
    grown: Pasts | None = None
    for name, value in values:
        for window in windows[name]:
            known = pasts.get(window.key, ())
            kept = with_sample(known, window, at, value)
            if kept is not known:
                grown = {**(grown or pasts), window.key: kept}
    return pasts if grown is None else grown


def measured(measure: Measure, pasts: Pasts, signal: Signal) -> float | None:
    """What a window says now (at its newest sample), or None while it does not reach back far enough."""
    window = measure.window
    samples = () if window is None else pasts.get(window.key, ())
    if not samples:
        return None
    if measure.function == "forecast":
        return _within(signal, forecast(samples, measure.length))
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
