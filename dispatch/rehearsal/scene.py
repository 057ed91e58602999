"""One community as a rehearsal goes through it: live alarms, orders, and what holds alarms back. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.text import Text
from dispatch.grouping import Joinable
from dispatch.holds import Emergency, Hold, Mute, OtherAlarm, OtherOrder, Standing
from dispatch.new_order import NOTHING, NewOrder
from dispatch.rehearsal.past import Past, PastOrder, Place
from dispatch.status import AT_WORK, LIVE, Severity, Status
from rules.moments import from_moment
from rules.replay.story import Story
from rules.rule import HeldBy

_SOMETHING = Text(zh="?", en="?")  # nobody reads the words of a rehearsal


@dataclass(slots=True)
class LiveOrder:
    """An order, rehearsed or (`number` 0) recorded, with all that people will do with it, its opening first.

    `known`: they do what they did with an order that was recorded.
    """

    number: int
    there: Joinable
    joinable: bool
    moves: list[tuple[int, Status]]
    known: bool = True
    alarms: list["LiveAlarm"] = field(default_factory=list)

    def status(self, at: int) -> Status:
        """What it is at a moment."""
        status: Status = "open"
        for moment, after in self.moves:
            if moment > at:
                break
            status = after
        return status

    def is_over(self, at: int) -> bool:
        """Whether it is over for good: no move makes it live again."""
        return self.status(at) not in LIVE and not any(
            after in LIVE for moment, after in self.moves if moment > at
        )

    def cancel(self, at: int) -> None:
        """End it, whatever else would have become of it."""
        self.moves = [*(each for each in self.moves if each[0] <= at), (at, "cancelled")]


@dataclass(slots=True)
class LiveAlarm:
    """An alarm on its way from its rule to people."""

    number: int
    story: Story
    place: Place
    severity: Severity
    hold: Hold | None = None
    order: LiveOrder | None = None
    told: bool = False  # people have heard of it, and nothing has kept them from it since
    asking: bool = False  # it asks for work that it has not got
    waited: bool = False  # it was held before people heard of it

    def has_order(self, at: int) -> bool:
        """Whether an order that is not over does its work, or another one that its order was merged into."""
        return self.order is not None and self.order.status(at) in LIVE | {"merged"}


class Scene:
    """What there is at a moment; the caller moves it on, in order of time."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self.orders = [_recorded(order) for order in past.orders]  # as they were, whatever the rules
        self._alarms: dict[int, dict[int, LiveAlarm]] = {}  # by asset and number
        self._orders: dict[int, list[LiveOrder]] = {}  # by asset
        self._joinable: dict[tuple[int, str], list[LiveOrder]] = {}  # by area and kind
        for order in self.orders:
            self.add_order(order)

    def add_order(self, order: LiveOrder) -> None:
        """There is one more order from its opening on."""
        self._orders.setdefault(order.there.asset_id, []).append(order)
        if order.joinable:
            self._joinable.setdefault((order.there.area_id, order.there.kind), []).append(order)

    def add_alarm(self, alarm: LiveAlarm) -> None:
        """It is raised."""
        self._alarms.setdefault(alarm.place.asset_id, {})[alarm.number] = alarm

    def drop_alarm(self, alarm: LiveAlarm) -> None:
        """It is over."""
        del self._alarms[alarm.place.asset_id][alarm.number]

    def told(self, community_id: int) -> list[LiveAlarm]:
        """The live alarms of a community that people were told of."""
        return [
            alarm
            for alarms in self._alarms.values()
            for alarm in alarms.values()
            if alarm.told and alarm.place.community_id == community_id
        ]

    def is_live(self, alarm: LiveAlarm) -> bool:
        """Whether it is not over."""
        return alarm.number in self._alarms.get(alarm.place.asset_id, ())

    def joinable(self, places: Iterable[tuple[int, str]], at: int, since: int) -> list[LiveOrder]:
        """The orders that alarms may join: of these areas and kinds, live, opened since then.

        From call to call neither `at` nor `since` goes back.
        """
        found = []
        for place in set(places):
            kept = [each for each in self._joinable.get(place, ()) if _opened(each) >= since]
            self._joinable[place] = kept
            found += [each for each in kept if _opened(each) <= at and each.status(at) in LIVE]
        return found

    def standing(self, alarm: LiveAlarm, asked: HeldBy, at: int) -> Standing:
        """How an alarm stands by what its rule asks about."""
        place = alarm.place
        emergency = next(
            (
                Emergency(each.kind, each.reason)
                for each in self._past.emergencies
                if each.community_id == place.community_id and each.span.holds(at)
            ),
            None,
        )
        return Standing(
            alarm_id=alarm.number,
            community_id=place.community_id,
            community=place.community,
            asset_id=place.asset_id,
            area_id=place.area_id,
            asset_class=place.asset_class,
            zone=place.zone,
            severity=alarm.severity,
            facts={},
            asset=NOTHING,
            held_by=None if alarm.hold is None else alarm.hold.because,
            held=NOTHING if alarm.hold is None else alarm.hold.why,
            had_order=alarm.order is not None,
            has_order=alarm.has_order(at),
            mute=self._mute(alarm, at),
            in_inspection=asked.inspection
            and any(span.holds(at) for span in self._past.inspections.get(place.asset_id, ())),
            order=self._order(alarm, asked, at),
            parent=None if place.parent_id is None else self._other(place.parent_id, asked.parents),
            alarm=self._other(place.asset_id, asked.alarms, alarm),
            emergency=emergency,
        )

    def _mute(self, alarm: LiveAlarm, at: int) -> Mute | None:
        fit = [
            each
            for each in self._past.mutes
            if each.span.holds(at) and each.fits(alarm.story.rule, alarm.place)
        ]
        longest = max(fit, key=lambda each: each.until, default=None)
        return None if longest is None else Mute("?", "?", from_moment(longest.until))

    def _order(self, alarm: LiveAlarm, asked: HeldBy, at: int) -> OtherOrder | None:
        if not asked.orders and not asked.work:
            return None
        for order in self._there(alarm.place.asset_id, at):
            status, kind = order.status(at), order.there.kind
            asks = (kind in asked.orders and status in LIVE) or (kind in asked.work and status in AT_WORK)
            if asks and order is not alarm.order:
                return OtherOrder(order.there.number, kind)
        return None

    def _there(self, asset_id: int, at: int) -> Iterator[LiveOrder]:
        kept = [each for each in self._orders.get(asset_id, ()) if _opened(each) > at or not each.is_over(at)]
        self._orders[asset_id] = kept
        return (each for each in kept if _opened(each) <= at)

    def _other(self, asset_id: int, rules: Sequence[str], but: LiveAlarm | None = None) -> OtherAlarm | None:
        if not rules:
            return None
        live = self._alarms.get(asset_id, {}).values()
        found = any(each.story.rule in rules and each is not but for each in live)
        return OtherAlarm(_SOMETHING, _SOMETHING) if found else None


def _opened(order: LiveOrder) -> int:
    return order.moves[0][0]


def _recorded(order: PastOrder) -> LiveOrder:
    there = _there(
        order.opened,
        number=order.number,
        community_id=order.community_id,
        asset_id=order.asset_id,
        area_id=order.area_id,
        kind=order.kind,
        skill=order.skill,
        severity=order.severity,
        cancel_on_clear=order.cancel_on_clear,
        checklist=(),
        todo=NOTHING,
        safety=NOTHING,
    )
    moves: list[tuple[int, Status]] = [
        (order.opened, "open"),
        *((each.at, each.status) for each in order.moves),
    ]
    return LiveOrder(0, there, order.joinable, moves)


def joinable(new: NewOrder, place: Place, at: int) -> Joinable:
    """A new order as alarms find it that might join."""
    return _there(
        at,
        number="",
        community_id=new.community_id,
        asset_id=new.asset_id,
        area_id=place.area_id,
        kind=new.kind,
        skill=new.skill,
        severity=new.severity,
        cancel_on_clear=new.cancel_on_clear,
        checklist=new.checklist,
        todo=new.todo,
        safety=new.safety,
    )


def _there(opened: int, **columns: Any) -> Joinable:  # noqa: ANN401 - the columns of a Joinable
    """The later is the greater, whether rehearsed or recorded; deadlines and who has it do not matter."""
    return Joinable(
        id=opened,
        status="open",
        opened_at=from_moment(opened),
        respond_by=None,
        arrive_by=None,
        complete_by=None,
        assignee_id=None,
        **columns,
    )
