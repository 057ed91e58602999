"""How well it is known when a bin will be full: `python -m benchmarks.forecast [--plans 3] [--json]`.

Walks forward through recorded collections (334 bins, six weeks), never looking ahead: whenever a bin was
emptied, each way to forecast says when it will reach 80 %, knowing the collections before that moment alone.
Judged where the bin did reach 80 %; the first three weeks are for learning what the past is like, the
figures are of the weeks after them. Then the same bins are visited by forecast, as often as they really were.
"""

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.cycles import FULL, Cycle, read_cycles
from benchmarks.forecasters import FORECASTERS, Forecaster
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option
from benchmarks.rounds import Plan, at_as_many_visits, blind, paths, recorded, watched

LEARNING_HOURS = 21 * 24.0
RESAMPLES = 1000
OURS = "typical_rate"
PLANS: dict[str, Plan] = {
    "by its past": blind,
    "by level, 24 h ahead": watched(24.0),
    "by level, 12 h ahead": watched(12.0),
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """One forecast of one cycle's hours to 80 %, beside what it was."""

    cycle: Cycle
    hours: float

    @property
    def miss(self) -> float:
        return abs(self.hours - self.cycle.hours_to_full)


def walk(cycles: list[Cycle], forecaster: Forecaster) -> list[Forecast]:
    """Forecast every cycle at its start, from those that had ended by then."""
    found, ended = [], iter(cycles)
    following = next(ended, None)
    for cycle in sorted(cycles, key=lambda each: (each.start, each.site)):
        while following is not None and following.end <= cycle.start:
            forecaster.learn(following.site, following.percent, following.hours)
            following = next(ended, None)
        found.append(Forecast(cycle, FULL / forecaster.rate(cycle.site)))
    return found


def judged(forecasts: list[Forecast]) -> list[Forecast]:
    """Those after the learning weeks whose bin reached 80 %."""
    since = min(each.cycle.start for each in forecasts) + LEARNING_HOURS
    return [each for each in forecasts if each.cycle.start >= since and each.cycle.percent >= FULL]


def errors(forecasts: list[Forecast]) -> dict[str, float]:
    """Mean, median and 90th percentile of the error, in hours."""
    misses = sorted(each.miss for each in forecasts)
    return {
        "mean_error_hours": round(statistics.fmean(misses), 2),
        "median_error_hours": round(statistics.median(misses), 2),
        "p90_error_hours": round(misses[math.ceil(0.9 * len(misses)) - 1], 2),
    }


def gain(ours: list[Forecast], theirs: list[Forecast]) -> dict[str, float]:
    """By how many per cent our mean error is smaller, and its bounds (95 %, bins resampled)."""
    sites: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for mine, other in zip(ours, theirs, strict=True):
        sites[mine.cycle.site].append((mine.miss, other.miss))
    sums = [(sum(mine for mine, _ in each), sum(other for _, other in each)) for each in sites.values()]
    chance = random.Random(2016)  # noqa: S311 - a resampling that anybody can repeat
    gains = sorted(_gain(chance.choices(sums, k=len(sums))) for _ in range(RESAMPLES))
    return {
        "percent": round(_gain(sums), 1),
        "from": round(gains[RESAMPLES // 40], 1),
        "to": round(gains[-RESAMPLES // 40], 1),
    }


def _gain(sums: list[tuple[float, float]]) -> float:
    return 100 * (1 - sum(mine for mine, _ in sums) / sum(other for _, other in sums))


async def run(asked: Mapping[str, Any]) -> Figures:
    """Forecast, and visit by as many of the plans as asked for."""
    return figures(read_cycles(), int(asked["plans"]))


def figures(cycles: list[Cycle], plans: int) -> Figures:
    """All of it, for any recording."""
    walks = {name: judged(walk(cycles, make())) for name, make in FORECASTERS.items()}
    bins, really = paths(cycles), recorded(cycles)
    return {
        "benchmark": "forecast",
        "cycles": len(cycles),
        "judged": len(walks[OURS]),
        "errors": {name: errors(each) for name, each in walks.items()},
        "gain_over": {name: gain(walks[OURS], each) for name, each in walks.items() if name != OURS},
        "recorded": really.shares(),
        "visits": {
            plan: {
                name: at_as_many_visits(bins, decide, make, really.visits).shares()
                for name, make in FORECASTERS.items()
            }
            for plan, decide in list(PLANS.items())[:plans]
        },
        "machine": machine(),
    }


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    errors = [
        (
            name.replace("_", " "),
            "{mean_error_hours:5.1f} h mean  {median_error_hours:5.1f} h median"
            "  {p90_error_hours:5.1f} h in nine of ten".format(**each),
        )
        for name, each in figures["errors"].items()
    ]
    gains = [
        (
            f"gain over {name.replace('_', ' ')}",
            f"{each['percent']} % ({each['from']} to {each['to']} %, 19 times in 20)",
        )
        for name, each in figures["gain_over"].items()
    ]
    visits = [
        (f"visits {plan}: {name.replace('_', ' ')}", _words(shares))
        for plan, each in figures["visits"].items()
        for name, shares in each.items()
    ]
    return [
        ("cycles judged", f"{figures['judged']} of {figures['cycles']}"),
        *errors,
        *gains,
        ("visits as recorded", _words(figures["recorded"])),
        *visits,
    ]


def _words(shares: dict[str, float]) -> str:
    return (
        f"{shares['late_percent']:5.1f} % late  {shares['needless_percent']:5.1f} % needless"
        f"  of {shares['visits']}"
    )


BENCHMARK = Benchmark(
    __doc__,
    "forecast: hours to 80 %; a visit is late at 97 % or more, needless at 61 % or less",
    run,
    rows,
    {"plans": Option(3, 1, "how many ways to plan visits are tried")},
)

if __name__ == "__main__":
    BENCHMARK.main()
