"""What collecting by forecast would have done: bins that fill as recorded, visited as is planned here.

Between two recorded collections a bin fills in a straight line, which is all that the recording tells. A plan
decides the next visit from what it learnt at its own visits: `blind` when the bin is emptied, `watched` from
hourly reports of the level, some hours ahead. The level at which it wants to come is the one free knob, and
is turned until it makes as many visits as were recorded: so only the choice of when is compared.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from benchmarks.cycles import Cycle
from benchmarks.forecasters import Forecaster

LATE = 97.0
NEEDLESS = 61.0
BRIM = 100.0
SOONEST_HOURS = 1.0
TURNS = 18


@dataclass(frozen=True, slots=True)
class Visited:
    """How a plan's visits went; `level` is where its knob stood."""

    visits: int
    late: int
    needless: int
    level: float

    def shares(self) -> dict[str, float]:
        """Late (at least 97 % full) and needless (at most 61 %) visits, in per cent of all."""
        return {
            "visits": self.visits,
            "late_percent": round(100 * self.late / self.visits, 1),
            "needless_percent": round(100 * self.needless / self.visits, 1),
        }


class Path:
    """How much had fallen into one bin by a moment."""

    def __init__(self, cycles: list[Cycle]) -> None:
        self._starts = [cycle.start for cycle in cycles]
        self._cycles = cycles
        self._before = [0.0]
        for cycle in cycles:
            self._before.append(self._before[-1] + cycle.percent)
        self.start, self.end = cycles[0].start, cycles[-1].end

    def fallen(self, moment: float) -> float:
        """Per cent of a bin since the recording began."""
        place = max(0, bisect_right(self._starts, moment) - 1)
        cycle = self._cycles[place]
        return self._before[place] + cycle.percent * min(1.0, (moment - cycle.start) / cycle.hours)


def paths(cycles: Iterable[Cycle]) -> dict[str, Path]:
    """The bins' paths by site."""
    sites: defaultdict[str, list[Cycle]] = defaultdict(list)
    for cycle in cycles:
        sites[cycle.site].append(cycle)
    return {site: Path(sorted(each, key=lambda cycle: cycle.start)) for site, each in sites.items()}


Plan = Callable[[Path, float, float, float], float]
"""Path, when it was emptied, the expected rate, the level wanted: when to come next."""


def blind(_path: Path, emptied: float, rate: float, level: float) -> float:
    """When the bin should have reached the level, by its past alone."""
    return emptied + level / rate


def watched(notice: float) -> Plan:
    """Decided `notice` hours ahead by hourly reports of the level and the expected rate from there on."""

    def plan(path: Path, emptied: float, rate: float, level: float) -> float:
        base, moment = path.fallen(emptied), math.floor(emptied) + 1.0
        while moment < path.end and min(BRIM, path.fallen(moment) - base) + rate * notice < level:
            moment += 1.0
        return moment + notice

    return plan


def visit(bins: dict[str, Path], plan: Plan, forecaster: Forecaster, level: float) -> Visited:
    """Walk through time, all bins together, since what one bin teaches may help to know another."""
    queue: list[tuple[float, str, float]] = [(path.start, site, path.start) for site, path in bins.items()]
    queue.sort()
    visits = late = needless = 0
    while queue:
        moment, site, emptied = heappop(queue)
        path = bins[site]
        if moment > emptied:
            found = path.fallen(moment) - path.fallen(emptied)
            visits, late, needless = visits + 1, late + (found >= LATE), needless + (found <= NEEDLESS)
            forecaster.learn(site, min(found, BRIM), moment - emptied)
        coming = max(plan(path, moment, forecaster.rate(site), level), moment + SOONEST_HOURS)
        if coming <= path.end:
            heappush(queue, (coming, site, moment))
    return Visited(visits, late, needless, level)


def at_as_many_visits(
    bins: dict[str, Path], plan: Plan, make: Callable[[], Forecaster], visits: int
) -> Visited:
    """Turn the knob until the plan makes as many visits as were recorded, or the nearest to it."""
    low, high = 20.0, 160.0
    tried = []
    for _ in range(TURNS):
        level = (low + high) / 2
        tried.append(visit(bins, plan, make(), level))
        if tried[-1].visits == visits:
            break
        low, high = (level, high) if tried[-1].visits > visits else (low, level)
    return min(tried, key=lambda each: abs(each.visits - visits))


def recorded(cycles: list[Cycle]) -> Visited:
    """How the collections that were really made went."""
    return Visited(
        len(cycles),
        sum(cycle.percent >= LATE for cycle in cycles),
        sum(cycle.percent <= NEEDLESS for cycle in cycles),
        math.nan,
    )
