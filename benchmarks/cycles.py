"""Recorded collections as cycles: from one emptying of a bin to the next, and how full it was found then."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from clerestory.simulate.bins import EMPTIED_AFTER, Collection, read_collections

RECORDED = Path(__file__).parents[2] / "shared" / "data" / "bins" / "litter-bin-collections-2016.csv"
FULL = 80.0
LEAST = 1.0
"""A bin found empty still held something: without it nothing could be divided by its rate."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One bin from `start` to `end` (hours since 1970), when it was found `percent` full."""

    site: str
    start: float
    end: float
    percent: float

    @property
    def hours(self) -> float:
        return self.end - self.start

    @property
    def hours_to_full(self) -> float:
        """When it had reached 80 %, on a straight line from empty to what was found."""
        return self.hours * FULL / self.percent


def read_cycles(file: Path = RECORDED) -> list[Cycle]:
    """All cycles by their end; two collections within a minute are one."""
    if not file.exists():
        raise SystemExit(f"the recorded collections are not there: {file}")
    sites: defaultdict[str, list[Collection]] = defaultdict(list)
    for visit in sorted(read_collections(file), key=lambda each: each.at):
        before = sites[visit.site]
        if not before or visit.at > before[-1].at + EMPTIED_AFTER:
            before.append(visit)
    cycles = [
        Cycle(site, first.at.timestamp() / 3600, then.at.timestamp() / 3600, max(then.fill_percent, LEAST))
        for site, visits in sites.items()
        for first, then in pairwise(visits)
    ]
    return sorted(cycles, key=lambda cycle: (cycle.end, cycle.site))
