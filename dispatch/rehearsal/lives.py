"""How long a rehearsed order lasts: as the one people had then, else as such orders usually do. Pure."""

from collections.abc import Iterable, Sequence
from statistics import median_low

import msgspec

from dispatch import clocks
from dispatch.grouping import Party
from dispatch.policy import Deadlines, Policy, deadlines_of, override_for
from dispatch.rehearsal.past import PastAlarm, PastOrder, Place
from dispatch.status import AT_WORK, HELD, LIVE, Status
from rules.moments import DAY, from_moment, to_moment

Moves = list[tuple[int, Status]]
_FOREVER = 2**63


class Usual(msgspec.Struct, frozen=True):
    """So long after its opening somebody accepts an order, is at work, and has done it; microseconds."""

    accepted: int
    at_work: int
    done: int

    def moves(self, opened: int, after: int = 0) -> Moves:
        """The moves of an order opened at a moment, none of them sooner than so long after that."""
        steps: tuple[tuple[int, Status], ...] = (
            (self.accepted, "accepted"),
            (self.at_work, "in_progress"),
            (self.done, "completed"),
        )
        return [(opened + max(offset, after), status) for offset, status in steps]


class Lives:
    """Finds each rehearsed order its life among those that were recorded."""

    def __init__(self, recorded: Iterable[PastOrder], every: Iterable[PastOrder], policy: Policy) -> None:
        """`recorded` were opened for alarms that are rehearsed; `every` shows how long orders last."""
        self._policy = policy
        self._by_alarm: dict[tuple[int, str], list[tuple[PastAlarm, PastOrder]]] = {}
        for order in recorded:
            for alarm in order.alarms:
                self._by_alarm.setdefault((alarm.device_id, alarm.rule), []).append((alarm, order))
        lengths: dict[tuple[int, str], list[Usual]] = {}
        for order in every:
            if (usual := _lengths(order)) is not None:
                lengths.setdefault((order.community_id, order.kind), []).append(usual)
        self._usual = {key: _middle(each) for key, each in lengths.items()}
        self._taken: set[int] = set()

    def of(self, party: Party, alarms: Sequence[PastAlarm], place: Place, opened: int) -> tuple[Moves, bool]:
        """The moves of a new order for some alarms, and whether they are those of one that there was."""
        usual = self._usual_of(party, place, opened)
        for alarm in alarms:
            for there, order in self._by_alarm.get((alarm.device_id, alarm.rule), ()):
                if order.id not in self._taken and _together(alarm, there):
                    self._taken.add(order.id)
                    return _shifted(order, opened, usual), True
        return usual.moves(opened), False

    def _usual_of(self, party: Party, place: Place, opened: int) -> Usual:
        order = party.lead.order
        known = self._usual.get((place.community_id, order.kind))
        if known is not None:
            return known
        own = Deadlines(respond=order.respond, arrive=order.arrive, complete=order.complete)
        fit = override_for(
            self._policy,
            community=place.community,
            area=place.area,
            kind=order.kind,
            severity=order.severity,
        )
        limits = deadlines_of(self._policy, own, fit, order.severity)
        calendar, now = self._policy.calendar_for(limits.clock, place.zone), from_moment(opened)
        respond, arrive, complete = (
            0 if length is None else to_moment(clocks.add(calendar, now, length)) - opened
            for length in (limits.respond, limits.arrive, limits.complete)
        )
        at_work = max(respond, arrive)
        return Usual(respond, at_work, max(at_work, complete) or DAY)


def _lengths(order: PastOrder) -> Usual | None:
    """How long one order took; None where nobody has done it."""
    found: dict[str, int] = {}
    for move in order.moves:
        if move.status in HELD:
            found.setdefault("accepted", move.at)
        if move.status in AT_WORK:
            found.setdefault("at_work", move.at)
        if move.status == "completed":
            found.setdefault("done", move.at)
    if "done" not in found:
        return None
    at_work = found.get("at_work", found["done"])
    accepted = found.get("accepted", at_work)
    return Usual(accepted - order.opened, at_work - order.opened, found["done"] - order.opened)


def _middle(lengths: Sequence[Usual]) -> Usual:
    accepted, at_work, done = (
        median_low(getattr(each, name) for each in lengths) for name in Usual.__struct_fields__
    )
    return Usual(accepted, max(accepted, at_work), max(accepted, at_work, done))


def _shifted(order: PastOrder, opened: int, usual: Usual) -> Moves:
    """What people did with an order, as long after its opening as they did.

    Where it went by itself because its alarms ended, that is for the rehearsal to decide again: had they
    lasted, somebody would have done it.
    """
    people = [move for move in order.moves if not (move.by_itself and move.status == "cancelled")]
    moves: Moves = [(opened + move.at - order.opened, move.status) for move in people]
    if len(people) < len(order.moves) and not (people and people[-1].status not in LIVE):
        gone = order.moves[-1].at - order.opened
        moves += usual.moves(opened, gone + 1)
    return moves


def _together(one: PastAlarm, other: PastAlarm) -> bool:
    return one.raised <= _end(other) and other.raised <= _end(one)


def _end(alarm: PastAlarm) -> int:
    return _FOREVER if alarm.cleared is None else alarm.cleared
