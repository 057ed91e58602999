"""Alarms that were only replayed, taken through what dispatch decides: held, told, ordered, joined.

The decisions are those of `telling`, `holds` and `grouping`; what people do with an order is `lives`.
Everybody hears of everything at the moment it happens. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Literal

from dispatch import grouping, telling
from dispatch.grouping import Opening, Party
from dispatch.holds import HeldBecause, Hold, hold_of
from dispatch.policy import Policy
from dispatch.rehearsal.agenda import Agenda
from dispatch.rehearsal.lives import Lives
from dispatch.rehearsal.past import Past, PastAlarm, Place
from dispatch.rehearsal.scene import LiveAlarm, LiveOrder, Scene, joinable
from dispatch.status import LIVE
from rules.moments import from_moment, span
from rules.replay.story import Step, Story
from rules.rule import HeldBy, OrderTemplate, Rule


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one alarm that asked for work; `order` is the number of the order it got, if it got one.

    An alarm asks again where it becomes worse, or is told again, after its order is over.
    `held`: why people never heard of it until it ended, or (`still`) until the end of the time. `waited`: it
    was held for a while before. `known`: the order lasted as long as one that was recorded.
    """

    story: Story
    place: Place
    work: OrderTemplate
    at: int
    what: Literal["opened", "joined", "held"]
    order: int | None = None
    held: HeldBecause | None = None
    still: bool = False
    waited: bool = False
    known: bool = True


def rehearse(
    stories: Iterable[Story], rules: Mapping[str, Rule], past: Past, policy: Policy, end: int
) -> list[Settled]:
    """What became, until `end`, of the alarms of one side that asked for work, in order of time."""
    mine = [each for each in stories if each.device_id in past.places and each.known < end]
    mine.sort(key=lambda each: (each.known, each.device_id, each.rule))
    rehearsal = _Rehearsal(rules, past, policy)
    rehearsal.expect(mine)
    return rehearsal.run(end)


class _Rehearsal:
    """Goes from moment to moment; at each people move first, then the rules speak, then the worker looks."""

    def __init__(self, rules: Mapping[str, Rule], past: Past, policy: Policy) -> None:
        self._rules = rules
        self._past = past
        self._policy = policy
        self._lives = Lives(past.for_alarms, (*past.orders, *past.for_alarms), policy)
        self._scene = Scene(past)
        self._alarms: dict[int, LiveAlarm] = {}
        self._held: dict[int, dict[int, LiveAlarm]] = {}  # by asset and number
        self._below: dict[int, set[int]] = {}  # the assets whose parent is this one
        for place in past.places.values():
            if place.parent_id is not None:
                self._below.setdefault(place.parent_id, set()).add(place.asset_id)
        groups = [group for rule in rules.values() if (group := telling.group_of(rule, policy)) is not None]
        self._longest = span(max((group.within for group in groups), default=timedelta()))
        self._numbers = count(1)
        self._settled: list[Settled] = []
        self._agenda = Agenda()
        # Of one moment: alarms that are told, that became worse, that ended; assets to look at again.
        self._told: dict[int, LiveAlarm] = {}
        self._worse: dict[int, LiveAlarm] = {}
        self._over: dict[int, LiveAlarm] = {}
        self._touched: set[int] = set()

    def expect(self, stories: Sequence[Story]) -> None:
        """Take what the past and these alarms bring, each at its moment."""
        for order in self._scene.orders:
            self._expect_moves(order)
        self._expect_quiet()
        for number, story in enumerate([*self._past.others, *stories]):
            if story.device_id not in self._past.places:
                continue
            self._agenda.at(story.known, self._raise, number, story)
            for step in story.steps:
                self._agenda.at(step.at, self._step, number, step)
            self._agenda.at(story.told, self._tell, number)
            self._agenda.at(story.over, self._end, number)

    def _expect_quiet(self) -> None:
        """Look again where mutes, emergencies and inspections begin and end."""
        quiet = [(each.community_id, each.span) for each in self._past.mutes]
        for community_id, each in quiet:
            self._agenda.at(each.start, self._mute, community_id)
        quiet += [(each.community_id, each.span) for each in self._past.emergencies]
        for community_id, each in quiet:
            for at in (each.start, each.end):
                self._agenda.at(at, self._touch_community, community_id)
        for asset_id, spans in self._past.inspections.items():
            for each in spans:
                for at in (each.start, each.end):
                    self._agenda.at(at, self._touch, asset_id)

    def run(self, end: int) -> list[Settled]:
        """Go on until `end`; what then is still held has got nothing."""
        for at in self._agenda.until(end):
            self._act(at)
        for held in self._held.values():
            for alarm in held.values():
                if alarm.asking:
                    self._settle(alarm, end, "held", still=True)
        return self._settled

    # --- what happens ---------------------------------------------------------------------------------

    def _expect_moves(self, order: LiveOrder) -> None:
        for at, _ in order.moves:
            self._agenda.at(at, self._touch, order.there.asset_id)

    def _touch(self, asset_id: int, at: int) -> None:
        del at
        self._touched.add(asset_id)

    def _touch_with_below(self, asset_id: int, at: int) -> None:
        del at
        self._touched.update({asset_id}, self._below.get(asset_id, ()))

    def _touch_community(self, community_id: int, at: int) -> None:
        del at
        self._touched.update(
            asset_id
            for asset_id, held in self._held.items()
            if any(alarm.place.community_id == community_id for alarm in held.values())
        )

    def _mute(self, community_id: int, at: int) -> None:
        """Hold back what people were told of and nobody has an order for: it is told again after the mute."""
        nothing = HeldBy(emergency=False)
        for alarm in self._scene.told(community_id):
            if not alarm.has_order(at):
                hold = hold_of(self._scene.standing(alarm, nothing, at), nothing, self._policy)
                if hold is not None and hold.because == "mute":
                    self._hold(alarm, hold)

    def _raise(self, number: int, story: Story, at: int) -> None:
        alarm = LiveAlarm(number, story, self._past.places[story.device_id], story.severity)
        self._alarms[number] = alarm
        self._scene.add_alarm(alarm)
        self._touch_with_below(alarm.place.asset_id, at)

    def _tell(self, number: int, at: int) -> None:
        del at
        if self._alarms[number].story.rule in self._rules:
            self._told[number] = self._alarms[number]

    def _step(self, number: int, step: Step, at: int) -> None:
        del at
        alarm = self._alarms[number]
        alarm.severity = step.severity
        if step.page and alarm.story.rule in self._rules:
            self._worse[number] = alarm

    def _end(self, number: int, at: int) -> None:
        alarm = self._alarms.pop(number)
        self._scene.drop_alarm(alarm)
        self._over[number] = alarm
        self._touch_with_below(alarm.place.asset_id, at)

    # --- what follows ---------------------------------------------------------------------------------

    def _act(self, at: int) -> None:
        """Act on what happened at one moment, in the order of `dispatch.alarms.follow` and `release`."""
        told, worse, over, touched = self._told, self._worse, self._over, self._touched
        self._told, self._worse, self._over, self._touched = {}, {}, {}, set()
        if told or worse:
            self._follow(told, {**worse, **told}, at)
        if over:
            touched |= self._finish(over, at)
        if self._held and touched:
            self._release(touched, at)

    def _follow(self, told: Mapping[int, LiveAlarm], alarms: Mapping[int, LiveAlarm], at: int) -> None:
        rules = {number: self._rules[alarm.story.rule] for number, alarm in alarms.items()}
        standings = [
            self._scene.standing(alarm, rules[number].held_by, at) for number, alarm in sorted(alarms.items())
        ]
        found = telling.sort_out(standings, rules, told.keys(), self._policy)
        for number, hold in found.holds.items():
            alarms[number].asking = True
            self._hold(alarms[number], hold)
        self._open(telling.openings_of(found.free, rules, self._policy), alarms, at)
        for standing in found.free:
            self._let_go(alarms[standing.alarm_id])

    def _release(self, assets: Iterable[int], at: int) -> None:
        alarms = {
            number: alarm for asset in sorted(assets) for number, alarm in self._held.get(asset, {}).items()
        }
        rules = {number: self._rules[alarm.story.rule] for number, alarm in alarms.items()}
        free = []
        for number, alarm in alarms.items():
            standing = self._scene.standing(alarm, rules[number].held_by, at)
            hold = hold_of(standing, rules[number].held_by, self._policy)
            if hold is None:
                free.append(standing)
            else:
                self._hold(alarm, hold)
        self._open(telling.openings_of(free, rules, self._policy), alarms, at)
        for standing in free:
            self._let_go(alarms[standing.alarm_id])

    def _finish(self, over: Mapping[int, LiveAlarm], at: int) -> set[int]:
        """End orders that go with their alarms; the assets about which less holds now."""
        for alarm in over.values():
            if alarm.hold is not None:
                if alarm.asking:
                    self._settle(alarm, at, "held")
                self._let_go(alarm)
        touched = set()
        for order in {
            id(each.order): each.order for each in over.values() if each.order is not None
        }.values():
            status = order.status(at)
            still = sum(self._scene.is_live(alarm) for alarm in order.alarms)
            cancel_on_clear = order.there.cancel_on_clear
            if status in LIVE and grouping.goes(status, cancel_on_clear=cancel_on_clear, still=still):
                order.cancel(at)
                touched.add(order.there.asset_id)
        return touched

    def _hold(self, alarm: LiveAlarm, hold: Hold) -> None:
        alarm.hold, alarm.told, alarm.waited = hold, False, True
        self._held.setdefault(alarm.place.asset_id, {})[alarm.number] = alarm

    def _let_go(self, alarm: LiveAlarm) -> None:
        alarm.hold, alarm.told, alarm.asking, alarm.waited = None, True, False, False
        held = self._held.get(alarm.place.asset_id, {})
        held.pop(alarm.number, None)
        if not held:
            self._held.pop(alarm.place.asset_id, None)

    def _open(self, openings: Sequence[Opening], alarms: Mapping[int, LiveAlarm], at: int) -> None:
        if not openings:
            return
        sharing = {(each.area_id, each.order.kind) for each in openings if each.group is not None}
        there = self._scene.joinable(sharing, at, at - self._longest)
        grouped = grouping.group(openings, [order.there for order in there], from_moment(at))
        by_there = {id(order.there): order for order in there}
        for party in grouped.joined:
            if party.order is not None:
                order = by_there[id(party.order)]
                order.there = grouping.joined(party.order, party)
                self._link(order, party, alarms, at, "joined")
        for party in grouped.new:
            order = self._new_order(party, [alarms[each.alarm_id] for each in party.openings], at)
            self._scene.add_order(order)
            self._expect_moves(order)
            self._link(order, party, alarms, at, "opened")

    def _link(
        self,
        order: LiveOrder,
        party: Party,
        alarms: Mapping[int, LiveAlarm],
        at: int,
        first: Literal["opened", "joined"],
    ) -> None:
        for number, opening in enumerate(party.openings):
            alarm = alarms[opening.alarm_id]
            alarm.order = order
            order.alarms.append(alarm)
            self._settle(alarm, at, "joined" if number else first)

    def _new_order(self, party: Party, alarms: Sequence[LiveAlarm], at: int) -> LiveOrder:
        past = [PastAlarm(each.device_id, each.rule, each.raised, each.cleared) for each in _stories(alarms)]
        moves, known = self._lives.of(party, past, alarms[0].place, at)
        there = joinable(grouping.together(party), alarms[0].place, at)
        return LiveOrder(
            next(self._numbers), there, party.lead.group is not None, [(at, "open"), *moves], known=known
        )

    def _settle(
        self, alarm: LiveAlarm, at: int, what: Literal["opened", "joined", "held"], *, still: bool = False
    ) -> None:
        rule = self._rules[alarm.story.rule]
        if rule.order is None:
            return
        settled = Settled(alarm.story, alarm.place, rule.order, at, what, waited=alarm.waited)
        if what == "held":
            settled = replace(settled, held=alarm.hold.because if alarm.hold else None, still=still)
        elif alarm.order is not None:
            settled = replace(settled, order=alarm.order.number, known=alarm.order.known)
        self._settled.append(settled)


def _stories(alarms: Iterable[LiveAlarm]) -> list[Story]:
    return [alarm.story for alarm in alarms]
