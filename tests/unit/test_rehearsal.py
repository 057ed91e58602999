"""A rehearsal finds what a simple oracle finds, whatever happens at whichever minute."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from config.text import Text
from dispatch.policy import Policy, shipped_policy
from dispatch.rehearsal.funnel import Funnel, funnels
from dispatch.rehearsal.past import EmergencySpan, Move, MuteSpan, Past, PastAlarm, PastOrder, Place, Span
from dispatch.rehearsal.rehearse import Settled, rehearse
from dispatch.status import Severity, Status
from rules.moments import MINUTE
from rules.replay.story import CHANGED, TODAY, Step, Story
from rules.rule import Group, HeldBy, OrderTemplate, Rule
from tests.unit.rehearsal_oracle import Oracle, Work

END = 60
WORD = Text(zh="是", en="it")
LIFT, FIRST, SECOND, FAR = 1, 2, 3, 4


def a_place(device: int, asset_class: str, parent: int | None, area: int) -> Place:
    return Place(device, 1, "bund", "Asia/Shanghai", device, asset_class, parent, area, f"area-{area}")


PLACES = {
    LIFT: a_place(LIFT, "elevator", None, 1),
    FIRST: a_place(FIRST, "bin", LIFT, 1),
    SECOND: a_place(SECOND, "bin", LIFT, 1),
    FAR: a_place(FAR, "bin", None, 2),
}


def work(kind: str, *, goes: bool, minutes: tuple[int, int, int] = (4, 7, 15)) -> OrderTemplate:
    respond, arrive, complete = (timedelta(minutes=each) for each in minutes)
    return OrderTemplate(
        kind, "cleaning", cancel_on_clear=goes, respond=respond, arrive=arrive, complete=complete
    )


NOBODY = HeldBy()


def a_rule(
    code: str,
    severity: Severity,
    order: OrderTemplate | None,
    held_by: HeldBy = NOBODY,
    group: Group | Literal[False] | None = None,
) -> Rule:
    return Rule(code, "bin", severity, WORD, WORD, WORD, WORD, order, held_by=held_by, group=group)


def ten_minutes(by: Literal["asset", "area"]) -> Group:
    return Group(by, timedelta(minutes=10))


RULES = {
    rule.code: rule
    for rule in (
        a_rule("full", "minor", work("empty", goes=True), group=ten_minutes("area")),
        a_rule("smelly", "major", work("empty", goes=True), HeldBy(work=("empty",)), ten_minutes("asset")),
        a_rule("stuck", "minor", work("empty", goes=False), HeldBy(alarms=("hot",)), ten_minutes("area")),
        a_rule("tipped", "major", work("mend", goes=True), HeldBy(parents=("dark",), alarms=("hot",))),
        a_rule("hot", "critical", work("mend", goes=False, minutes=(1, 2, 9)), HeldBy(orders=("look",))),
        a_rule("low", "info", None, HeldBy(work=("mend",))),
        a_rule("dark", "major", work("light", goes=True), HeldBy(orders=("look",), inspection=True)),
    )
}
ON = {"dark": (LIFT,)} | {code: (FIRST, SECOND, FAR) for code in RULES if code != "dark"}


def the_policy() -> Policy:
    """The shipped one, around the clock."""
    said = shipped_policy().model_dump()
    for each in said["deadlines"].values():
        each["clock"] = "around_the_clock"
    return Policy.model_validate(said)


POLICY = the_policy()
minutes = st.integers(0, END - 1)


@st.composite
def a_span(draw: st.DrawFn) -> Span:
    start = draw(minutes)
    end = draw(st.one_of(st.none(), st.integers(start + 1, END + 5)))
    return Span(start * MINUTE, None if end is None else end * MINUTE)


@st.composite
def some_stories(draw: st.DrawFn) -> list[Story]:
    """Alarms of one device and rule follow each other; they are told, worse and over at any time."""
    stories = []
    for code, devices in ON.items():
        for device in devices:
            at = draw(st.integers(0, 2 * END))
            while at < END:
                length = draw(st.one_of(st.just(2 * END), st.integers(1, 25)))
                told = draw(st.sampled_from((0, 0, 0, 1, 3, None)))
                told = None if told is None or told > length else (at + told) * MINUTE
                over = (at + length) * MINUTE if at + length < END else None
                steps: tuple[Step, ...] = ()
                if RULES[code].severity != "critical" and draw(st.integers(0, 3)) == 0:
                    step = at + draw(st.integers(1, 9))
                    steps = (Step(step * MINUTE, "critical", page=True),) if step < at + length else ()
                stories.append(
                    Story(
                        device, code, TODAY | CHANGED, RULES[code].severity, at * MINUTE, at * MINUTE,
                        told, over, over, steps,
                    )
                )  # fmt: skip
                at += length + draw(st.integers(1, 40))
    return stories


@st.composite
def an_order_by_hand(draw: st.DrawFn) -> Work:
    device, kind = draw(st.sampled_from(((LIFT, "look"), (FIRST, "look"), (FIRST, "mend"), (FAR, "empty"))))
    opened = draw(minutes)
    after = sorted(draw(st.lists(st.integers(1, 30), min_size=3, max_size=3)))
    accepted, working, done = (opened + each for each in after)
    return Work(
        None, device, PLACES[device].area_id, kind, opened, accepted, working, done, draw(st.booleans())
    )


@st.composite
def a_past(draw: st.DrawFn) -> tuple[Past, list[Work]]:
    mute = st.builds(
        lambda rule, where, span: MuteSpan(1, rule, where[0], where[1], span.end or END * MINUTE, span),
        st.sampled_from((None, "full", "tipped")),
        st.sampled_from(((None, None), (FIRST, None), (None, 1))),
        a_span(),
    )
    emergency = st.builds(lambda span: EmergencySpan(1, "storm", "typhoon", span), a_span())
    by_hand = draw(st.lists(an_order_by_hand(), max_size=3))
    past = Past(
        places=PLACES,
        mutes=tuple(draw(st.lists(mute, max_size=2))),
        emergencies=tuple(draw(st.lists(emergency, max_size=1))),
        inspections={LIFT: tuple(draw(st.lists(a_span(), max_size=1)))},
        orders=tuple(_past_order(n, each) for n, each in enumerate(by_hand, 1)),
    )
    return past, by_hand


def _past_order(number: int, by_hand: Work) -> PastOrder:
    moves: tuple[tuple[int, Status], ...] = (
        (by_hand.accepted, "accepted"),
        (by_hand.working, "in_progress"),
        (by_hand.done, "completed"),
    )
    return PastOrder(
        id=number,
        number=f"W{number}",
        community_id=1,
        asset_id=by_hand.asset,
        area_id=by_hand.area,
        kind=by_hand.kind,
        skill="cleaning",
        severity="minor",
        joinable=by_hand.joinable,
        cancel_on_clear=False,
        opened=by_hand.opened * MINUTE,
        lead=None,
        moves=tuple(Move(at * MINUTE, status, by_itself=False) for at, status in moves),
    )


def found(settled: Sequence[Settled], stories: Sequence[Story]) -> tuple[object, object]:
    """The same as the oracle says it: (minute, alarms) of each order, and what held the others."""
    number = {id(story): n for n, story in enumerate(stories)}
    opened = {each.order: each.at // MINUTE for each in settled if each.what == "opened"}
    orders = [
        (at, sorted(number[id(each.story)] for each in settled if each.order == order))
        for order, at in opened.items()
    ]
    held = sorted((number[id(each.story)], str(each.held)) for each in settled if each.what == "held")
    return sorted(orders), held


@settings(max_examples=150, deadline=None)
@given(some_stories(), a_past())
def test_orders_are_those_of_the_oracle(stories: list[Story], given_past: tuple[Past, list[Work]]) -> None:
    past, by_hand = given_past
    stories.sort(key=lambda each: (each.known, each.device_id, each.rule))
    settled = rehearse(stories, RULES, past, POLICY, END * MINUTE)
    orders, held = Oracle(stories, RULES, past, by_hand).run(END)
    asking = sorted((n, why) for n, why in held if RULES[stories[n].rule].order is not None)
    mine, mine_held = found([each for each in settled if each.order != 0], stories)
    assert mine == sorted((at, sorted(alarms)) for at, alarms in orders)
    assert mine_held == asking
    of_all = Funnel.sum(funnels(settled, 0).values())
    assert of_all.alarms == of_all.orders + of_all.joined + of_all.kept == len(settled)


def a_story(rule: str, at: int, over: int | None = None, device: int = FIRST) -> Story:
    """An alarm of which people are to hear at once, in minutes."""
    end = None if over is None else over * MINUTE
    return Story(device, rule, TODAY, RULES[rule].severity, at * MINUTE, at * MINUTE, at * MINUTE, end, end)


def for_alarm(rule: str, raised: int, moves: Sequence[tuple[int, Status, bool]]) -> PastOrder:
    """An order that an alarm of the first bin opened, with its moves at minutes."""
    template = RULES[rule].order
    assert template is not None
    return PastOrder(
        id=1,
        number="W1",
        community_id=1,
        asset_id=FIRST,
        area_id=1,
        kind=template.kind,
        skill="cleaning",
        severity="minor",
        joinable=True,
        cancel_on_clear=template.cancel_on_clear,
        opened=raised * MINUTE,
        lead=rule,
        moves=tuple(Move(at * MINUTE, status, itself) for at, status, itself in moves),
        alarms=(PastAlarm(FIRST, rule, raised * MINUTE, None),),
    )


def orders_of(stories: Sequence[Story], *there: PastOrder) -> list[tuple[int, bool]]:
    """The minutes at which orders are opened, and whether each lasts as one there was."""
    past = Past(PLACES, for_alarms=there)
    settled = rehearse(stories, RULES, past, POLICY, 2 * END * MINUTE)
    return [(each.at // MINUTE, each.known) for each in settled if each.what == "opened"]


def test_people_do_with_an_order_what_they_did_as_long_after_it_was_opened() -> None:
    """It was done 5 minutes after; opened earlier by the changed rules it is done earlier, and not joined."""
    done: list[tuple[int, Status, bool]] = [(21, "accepted", False), (25, "completed", False)]
    there = for_alarm("full", 20, done)
    joins = a_story("full", 15, device=SECOND)
    assert orders_of([a_story("full", 11), joins], there) == [(11, True)]
    assert orders_of([a_story("full", 9), joins], there) == [(9, True), (15, False)]


def test_an_order_that_went_with_its_alarm_would_have_been_done_had_the_alarm_lasted() -> None:
    """It was cancelled soon; now the alarm stays, and others join until somebody has done the work."""
    there = for_alarm("full", 10, [(12, "cancelled", True)])
    joins, later = a_story("full", 15, device=SECOND), a_story("smelly", 27, over=29)
    assert orders_of([a_story("full", 10), joins, later], there) == [(10, True), (27, False)]
    # Where it ends as it did, the order goes as it did.
    assert orders_of([a_story("full", 10, over=12), joins], there) == [(10, True), (15, False)]


def test_one_order_gives_its_life_to_one_order() -> None:
    there = for_alarm("tipped", 10, [(11, "accepted", False), (20, "completed", False)])
    stories = [a_story("tipped", 10, over=30), a_story("tipped", 40)]
    assert orders_of(stories, there) == [(10, True), (40, False)]


def test_what_waits_is_let_through_and_counted() -> None:
    mute = MuteSpan(1, "full", None, None, 30 * MINUTE, Span(5 * MINUTE, 30 * MINUTE))
    stories = [a_story("full", 10), a_story("full", 12, over=20, device=FAR)]
    settled = rehearse(stories, RULES, Past(PLACES, mutes=(mute,)), POLICY, END * MINUTE)
    funnel = Funnel.sum(funnels(settled, 0).values())
    assert funnel == Funnel(alarms=2, orders=1, held={"mute": 1}, waited=1, supposed=1)
    assert [each.at // MINUTE for each in settled] == [20, 30]
    assert funnels(settled, 25 * MINUTE) == {(1, 1, "empty", "cleaning"): Funnel(1, 1, waited=1, supposed=1)}
