"""Where a level that rises and is emptied now and then (a bin) is heading, from its own history. Pure.

It goes on from where it is, at its typical rate between emptyings: `rules.filling`, chosen by measurement on
recorded collections.

A forecast is asked for at every message, the history before the newest sample is another only now and then.
So what it comes to is worked out once (`Cycles`), and the newest sample is added when asked.
"""

from collections.abc import Sequence
from operator import sub

import msgspec

from rules.filling import Filling

# A fall by more than this share of all the swing there was is an emptying; a smaller one is waste settling.
EMPTYING = 0.25
# Fewer samples before the newest tell nothing.
FEWEST = 2
_HOUR = 3600


class Cycles(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What some samples show of emptyings, and of how fast it rose from each to the next. Spans: seconds."""

    low: float
    high: float
    smallest: float | None  # of the falls that count as emptyings
    filling: Filling  # learnt from the cycles that are over
    over: float  # how long those lasted together
    begun: float  # with which value the cycle began that is not over
    lasted: float  # how long that has lasted
    last: float  # the value of the newest sample

    def tells(self, value: float) -> bool:
        """Whether the same falls count as emptyings if there was this value, too."""
        if self.smallest is None or self.low <= value <= self.high:
            return True
        return self.smallest > EMPTYING * (max(self.high, value) - min(self.low, value))

    def forecast(self, value: float, since: float, ahead: float) -> float | None:
        """The value expected `ahead` after one newer sample, that came `since` after the last.

        The cycles must tell of it. None while too little is known: all there is between emptyings lasted for
        less time than `ahead`. The caller keeps the answer within what the signal can be.
        """
        filling, over, begun, lasted = self.filling, self.over, self.begun, self.lasted
        if self.last - value > EMPTYING * (max(self.high, value) - min(self.low, value)):
            filling, over = filling.learn(self.last - begun, lasted / _HOUR), over + lasted
            begun, lasted = value, 0.0
        else:
            lasted += since
        if over + lasted < ahead:
            return None
        rate = filling.rate() or filling.learn(value - begun, lasted / _HOUR).rate() or 0.0
        return value + rate * ahead / _HOUR


def cycles_of(values: Sequence[float], gaps: Sequence[float], newest: float | None = None) -> Cycles | None:
    """What samples show: their values, oldest first, and the seconds from each to the next.

    None where they are too few. `newest`: the value of a newer one that counts for the swing alone.
    """
    if len(values) < FEWEST:
        return None
    low, high = min(values), max(values)
    fall = EMPTYING * (high - low if newest is None else max(high, newest) - min(low, newest))
    falls = [*map(sub, values, values[1:])]
    filling, over, begun = Filling(), 0.0, 0
    emptyings = [position for position, fell in enumerate(falls) if fell > fall]
    for position in emptyings:
        lasted = sum(gaps[begun:position])
        filling, over = filling.learn(values[position] - values[begun], lasted / _HOUR), over + lasted
        begun = position + 1
    smallest = min((falls[position] for position in emptyings), default=None)
    return Cycles(low, high, smallest, filling, over, values[begun], sum(gaps[begun:]), values[-1])
