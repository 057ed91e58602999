"""Where a signal is heading, from its own history. Pure.

A level that rises and is emptied now and then (a bin, a tank): it goes on as fast as it rose on the whole,
the emptyings left out. One method behind one function, so that a better one can take its place.
"""

from collections.abc import Sequence
from itertools import pairwise

Sample = tuple[int, float]
"""A moment in microseconds, and the value from then on."""

# A fall by more than this share of all the signal's swing was an emptying, not its way.
EMPTYING = 0.25
# Nothing is said of a time ahead that is longer than what was seen of the signal's own way.
FEWEST = 3


def forecast(samples: Sequence[Sample], ahead: int) -> float | None:
    """The value expected `ahead` microseconds after the newest of these samples (oldest first).

    None while too little is known: fewer than three samples, or they cover less time than `ahead`. The caller
    keeps the answer within what the signal can be.
    """
    if len(samples) < FEWEST:
        return None
    values = [value for _, value in samples]
    fall = EMPTYING * (max(values) - min(values))
    gained, lasted = 0.0, 0
    for (start, before), (end, after) in pairwise(samples):
        if after >= before - fall:
            gained += after - before
            lasted += end - start
    if lasted == 0 or lasted < ahead:
        return None
    return values[-1] + gained * (ahead / lasted)
