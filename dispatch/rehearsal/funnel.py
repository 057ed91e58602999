"""From alarms that asked for work to orders, counted: held back, joined to another, or an order. Pure."""

from collections.abc import Iterable
from typing import Self

import msgspec

from dispatch.rehearsal.past import PastOrder
from dispatch.rehearsal.rehearse import Settled

Key = tuple[int, int, str, str]  # community, area, kind of work, skill


class Funnel(msgspec.Struct):
    """`alarms` = `held` + `joined` + `orders`, of one place and kind of work, or of several.

    `held` by reason; `waiting` of them were still held at the end. `waited`: people heard of them late, as
    they were held for a while. `supposed`: orders nobody ever had, taken to last as such orders usually do.
    """

    alarms: int = 0
    orders: int = 0
    joined: int = 0
    held: dict[str, int] = {}
    waiting: int = 0
    waited: int = 0
    supposed: int = 0

    @property
    def kept(self) -> int:
        """How many were held until they ended, or to the end of the time."""
        return sum(self.held.values())

    def take(self, settled: Settled) -> None:
        """Count one alarm."""
        self.alarms += 1
        if settled.what == "held":
            reason = settled.held or ""
            self.held[reason] = self.held.get(reason, 0) + 1
            self.waiting += settled.still
            return
        self.waited += settled.waited
        if settled.what == "joined":
            self.joined += 1
            return
        self.orders += 1
        self.supposed += not settled.known

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        """Add up."""
        whole = cls()
        for part in parts:
            for name in ("alarms", "orders", "joined", "waiting", "waited", "supposed"):
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
            for reason, count in part.held.items():
                whole.held[reason] = whole.held.get(reason, 0) + count
        return whole


def funnels(settled: Iterable[Settled], start: int) -> dict[Key, Funnel]:
    """What was settled from `start` on, by place and kind of work."""
    found: dict[Key, Funnel] = {}
    for each in settled:
        if each.at >= start:
            place, work = each.place, each.work
            key = (place.community_id, place.area_id, work.kind, work.skill)
            found.setdefault(key, Funnel()).take(each)
    return found


def recorded(orders: Iterable[PastOrder], start: int, end: int) -> dict[Key, int]:
    """How many orders were opened in a time, by place and kind of work."""
    found: dict[Key, int] = {}
    for order in orders:
        if start <= order.opened < end:
            key = (order.community_id, order.area_id, order.kind, order.skill)
            found[key] = found.get(key, 0) + 1
    return found
