"""Three ways to expect how fast a bin fills: the house's own, and the two it is measured against.

Each learns from what a collection found, and knows nothing that came later. Rates are per cent an hour.
"""

from collections import defaultdict
from typing import Protocol

from rules.filling import Filling

FIRST_GUESS = 80 / 48
"""What everybody believes before the first collection of all: two days to 80 %."""


class Forecaster(Protocol):
    """What the walk through time asks of a way to forecast."""

    def learn(self, site: str, percent: float, hours: float) -> None: ...
    def rate(self, site: str) -> float: ...


class GlobalMean:
    """Every bin fills as all bins have on average: all they were found with over all their hours."""

    def __init__(self) -> None:
        self._percent = self._hours = 0.0

    def learn(self, site: str, percent: float, hours: float) -> None:  # noqa: ARG002 - the same for all
        self._percent += percent
        self._hours += hours

    def rate(self, site: str) -> float:  # noqa: ARG002 - the same for all
        return self._percent / self._hours if self._hours else FIRST_GUESS


class RunningMean(GlobalMean):
    """A bin fills as it has on average; one without a past as all have."""

    def __init__(self) -> None:
        super().__init__()
        self._sites: dict[str, tuple[float, float]] = {}

    def learn(self, site: str, percent: float, hours: float) -> None:
        super().learn(site, percent, hours)
        so_far = self._sites.get(site, (0.0, 0.0))
        self._sites[site] = (so_far[0] + percent, so_far[1] + hours)

    def rate(self, site: str) -> float:
        percent, hours = self._sites.get(site, (0.0, 0.0))
        return percent / hours if hours else super().rate(site)


class Typical:
    """The house's own: what is typical of a bin, leaning on all bins while its past is short."""

    ALL_AGEING = 0.999

    def __init__(self) -> None:
        self._all = Filling()
        self._sites: defaultdict[str, Filling] = defaultdict(Filling)

    def learn(self, site: str, percent: float, hours: float) -> None:
        self._all = self._all.learn(percent, hours, self.ALL_AGEING)
        self._sites[site] = self._sites[site].learn(percent, hours)

    def rate(self, site: str) -> float:
        return self._sites[site].rate(self._all) or FIRST_GUESS


FORECASTERS: dict[str, type[Forecaster]] = {
    "global_mean_rate": GlobalMean,
    "running_mean_rate": RunningMean,
    "typical_rate": Typical,
}
