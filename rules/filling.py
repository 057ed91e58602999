"""How fast something fills between emptyings, learnt from its own past. Pure.

Rates scatter by factors, not by amounts: a bin that usually takes two days takes one or four now and then. So
what is typical is the mean of their logarithms, in which one strange cycle weighs little. Older cycles count
less and less, and `PRIOR_CYCLES` of what is usual elsewhere stand in for a past that is still short.
`python -m benchmarks.forecast` measures this against simpler choices on recorded collections.
"""

import math

import msgspec

AGEING = 0.9
"""What a cycle weighs beside the one after it."""
PRIOR_CYCLES = 0.5
"""How many cycles what is usual elsewhere is worth."""


class Filling(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was learnt of one thing, or of many together: `weight` in cycles, rates in per cent an hour."""

    weight: float = 0.0
    log_rates: float = 0.0

    def learn(self, percent: float, hours: float, ageing: float = AGEING) -> "Filling":
        """One more cycle: it rose by so much in so long. One without a rise teaches nothing."""
        if percent <= 0 or hours <= 0:
            return self
        return Filling(self.weight * ageing + 1, self.log_rates * ageing + math.log(percent / hours))

    def rate(self, elsewhere: "Filling | None" = None) -> float | None:
        """How many per cent an hour are to be expected, or None while nothing is known here or elsewhere."""
        prior = elsewhere.log_rates / elsewhere.weight if elsewhere is not None and elsewhere.weight else None
        if prior is None:
            return math.exp(self.log_rates / self.weight) if self.weight else None
        return math.exp((self.log_rates + PRIOR_CYCLES * prior) / (self.weight + PRIOR_CYCLES))
