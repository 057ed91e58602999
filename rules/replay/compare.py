"""Two lists of one device's alarms side by side: which are the same, new, gone, or different. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

import msgspec

from rules.replay.device import Alarm

Kind = Literal["new", "gone", "different"]
_FOREVER = 2**63


class Pair(msgspec.Struct, frozen=True):
    """An alarm before and after; None where there is none."""

    old: Alarm | None
    new: Alarm | None

    def kind(self, tolerance: int = 0) -> Kind | None:
        """What became of it; None for one that is the same, give or take `tolerance` microseconds."""
        if self.old is None:
            return "new"
        if self.new is None:
            return "gone"
        return None if _alike(self.old, self.new, tolerance) else "different"


def pairs(old: Iterable[Alarm], new: Iterable[Alarm]) -> list[Pair]:
    """Put alarms of one device together that are about the same: one rule, at some time both on.

    Both lists may be in any order. Each alarm stands in one pair, in order of rule and time.
    """
    sides = [(each.rule, each.raised, 0, each) for each in old]
    sides += [(each.rule, each.raised, 1, each) for each in new]
    sides.sort(key=lambda side: side[:3])
    found: list[Pair] = []
    for _, group in groupby(sides, key=lambda side: side[0]):
        mine = list(group)
        before = [alarm for _, _, side, alarm in mine if side == 0]
        after = [alarm for _, _, side, alarm in mine if side == 1]
        found += _of_rule(before, after)
    return found


def overlapping(alarms: Iterable[Alarm], pair: Pair) -> Alarm | None:
    """The first alarm of the pair's rule that was on together with either side."""
    sides = [side for side in (pair.new, pair.old) if side is not None]
    for alarm in alarms:
        if any(alarm.rule == side.rule and _together(alarm, side) for side in sides):
            return alarm
    return None


def _of_rule(old: Sequence[Alarm], new: Sequence[Alarm]) -> Iterator[Pair]:
    i = j = 0
    while i < len(old) and j < len(new):
        if _together(old[i], new[j]):
            yield Pair(old[i], new[j])
            i, j = i + 1, j + 1
        elif old[i].raised < new[j].raised:
            yield Pair(old[i], None)
            i += 1
        else:
            yield Pair(None, new[j])
            j += 1
    for alarm in old[i:]:
        yield Pair(alarm, None)
    for alarm in new[j:]:
        yield Pair(None, alarm)


def _together(one: Alarm, other: Alarm) -> bool:
    return one.raised <= _end(other) and other.raised <= _end(one)


def _end(alarm: Alarm) -> int:
    return _FOREVER if alarm.cleared is None else alarm.cleared


def _alike(one: Alarm, other: Alarm, tolerance: int) -> bool:
    if one.severity != other.severity or (one.cleared is None) != (other.cleared is None):
        return False
    if not tolerance and one.paged != other.paged:
        return False
    return abs(one.raised - other.raised) <= tolerance and abs(_end(one) - _end(other)) <= tolerance
