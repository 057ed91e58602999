"""Where a level that rises and is emptied now and then (a bin) is heading, from its own history. Pure.

It goes on from where it is, at its typical rate between emptyings: `rules.filling`, chosen by measurement on
recorded collections.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from rules.filling import Filling
from rules.moments import HOUR

Sample = tuple[int, float]
"""A moment in microseconds, and the value from then on."""

# A fall by more than this share of all the swing there was is an emptying; a smaller one is waste settling.
EMPTYING = 0.25
FEWEST = 3


def forecast(samples: Sequence[Sample], ahead: int) -> float | None:
    """The value expected `ahead` microseconds after the newest of these samples (oldest first).

    None while too little is known: fewer than three samples, or what they show between emptyings lasted for
    less time than `ahead`. The caller keeps the answer within what the signal can be.
    """
    if len(samples) < FEWEST:
        return None
    *done, now = _cycles(samples)
    lasted = sum(hours for _, hours in (*done, now))
    if lasted * HOUR < ahead:
        return None
    filling = Filling()
    for gained, hours in done:
        filling = filling.learn(gained, hours)
    rate = filling.rate() or filling.learn(*now).rate() or 0.0
    return samples[-1][1] + rate * ahead / HOUR


def _cycles(samples: Sequence[Sample]) -> Iterator[tuple[float, float]]:
    """How much it rose from each emptying to the next, and in how many hours; the last is not over yet."""
    values = [value for _, value in samples]
    fall = EMPTYING * (max(values) - min(values))
    begun = samples[0]
    for before, after in pairwise(samples):
        if after[1] < before[1] - fall:
            yield before[1] - begun[1], (before[0] - begun[0]) / HOUR
            begun = after
    yield samples[-1][1] - begun[1], (samples[-1][0] - begun[0]) / HOUR
