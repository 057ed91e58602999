"""The matching keeps every hard limit and is never dearer than any other choice."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import Text
from dispatch.explain import why_chosen, why_nobody
from dispatch.matching import Need, barrier, match, pair_cost, slot_cost, unserved_cost
from dispatch.policy import shipped_policy
from dispatch.roster import Shift, Technician, next_on_shift, on_shift
from dispatch.status import SEVERITIES

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # Monday 09:00 in Shanghai
SHANGHAI = ZoneInfo("Asia/Shanghai")
POLICY = shipped_policy()
ALWAYS = tuple(Shift(day, time(0), time(0)) for day in range(1, 8))
LATER = tuple(Shift(day, time(14), time(22)) for day in range(1, 8))


def technician(staff_id: int, **changes: object) -> Technician:
    given_fields: dict[str, object] = {
        "staff_id": staff_id,
        "code": f"t{staff_id}",
        "name": f"T{staff_id}",
        "phone": None,
        "skills": {"elevator": None},
        "areas": frozenset({1, 2}),
        "shifts": ALWAYS,
        **changes,
    }
    return Technician(**given_fields)  # type: ignore[arg-type] # the tests name fields by hand


def need(order_id: int, **changes: object) -> Need:
    given_fields: dict[str, object] = {
        "order_id": order_id,
        "community_id": 1,
        "area_id": 1,
        "zone": SHANGHAI,
        "skill": "elevator",
        "severity": "major",
        **changes,
    }
    return Need(**given_fields)  # type: ignore[arg-type] # the tests name fields by hand


technicians = st.lists(
    st.builds(
        technician,
        st.integers(),
        skills=st.sampled_from(
            [
                {"elevator": None},
                {"elevator": date(2026, 11, 22)},
                {"cleaning": None},
                {"elevator": date(2027, 1, 1)},
            ]
        ),
        areas=st.sampled_from([frozenset({1}), frozenset({1, 2}), frozenset({2})]),
        shifts=st.sampled_from([ALWAYS, ALWAYS, LATER]),
        load=st.integers(0, 6),
        at=st.sampled_from([frozenset(), frozenset({(1, 1)}), frozenset({(1, 2)}), frozenset({(2, 9)})]),
    ),
    max_size=3,
).map(lambda people: [technician_with_id(index, person) for index, person in enumerate(people, 1)])
needs = st.lists(
    st.builds(
        need,
        st.integers(),
        severity=st.sampled_from(SEVERITIES),
        area_id=st.sampled_from([1, 2]),
        excluded=st.frozensets(st.integers(1, 3), max_size=2),
        familiar=st.frozensets(st.integers(1, 3), max_size=2),
        late_hours=st.sampled_from([0.0, 1.0, 30.0]),
    ),
    max_size=3,
).map(lambda orders: [need_with_id(index, order) for index, order in enumerate(orders, 1)])


def technician_with_id(staff_id: int, person: Technician) -> Technician:
    return technician(
        staff_id,
        skills=person.skills,
        areas=person.areas,
        shifts=person.shifts,
        load=person.load,
        at=person.at,
    )


def need_with_id(order_id: int, order: Need) -> Need:
    return need(
        order_id,
        severity=order.severity,
        area_id=order.area_id,
        excluded=order.excluded,
        familiar=order.familiar,
        late_hours=order.late_hours,
    )


def choices(orders: Sequence[Need], people: Sequence[Technician]) -> Iterator[float]:
    """The oracle: the cost of every allowed way to give each order a technician's place, or nobody."""
    options = [
        [
            None,
            *(
                (person, place)
                for person in people
                for place in range(person.load, POLICY.matching.capacity[order.severity])
                if barrier(order, person, NOW, POLICY.matching.capacity[order.severity]) is None
            ),
        ]
        for order in orders
    ]
    for chosen in product(*options):
        places = [(each[0].staff_id, each[1]) for each in chosen if each is not None]
        if len(set(places)) == len(places):
            yield sum(
                unserved_cost(order, POLICY.matching)
                if each is None
                else pair_cost(order, each[0], POLICY.matching) + slot_cost(order, each[1], POLICY.matching)
                for order, each in zip(orders, chosen, strict=True)
            )


def cheapest_with(
    orders: Sequence[Need], people: Sequence[Technician], chosen: Mapping[int, int | None]
) -> float:
    """The least cost of a choice of people, over the places each of them can give."""
    only = [
        need_restricted(order, chosen[order.order_id], people)
        for order in orders
        if chosen[order.order_id] is not None
    ]
    unserved = sum(
        unserved_cost(order, POLICY.matching) for order in orders if chosen[order.order_id] is None
    )
    return unserved + min(choices(only, people), default=0.0)


def need_restricted(order: Need, staff_id: int | None, people: Sequence[Technician]) -> Need:
    others = frozenset(person.staff_id for person in people if person.staff_id != staff_id)
    return need(
        order.order_id,
        severity=order.severity,
        area_id=order.area_id,
        excluded=order.excluded | others,
        familiar=order.familiar,
        late_hours=order.late_hours,
    )


@given(needs, technicians)
def test_it_is_as_cheap_as_the_best_of_all_choices(orders: list[Need], people: list[Technician]) -> None:
    chosen = match(orders, people, NOW, POLICY.matching)
    assert chosen.keys() == {order.order_id for order in orders}
    best = min(choices(orders, people))
    assert cheapest_with(orders, people, chosen) == pytest.approx(best)


@given(needs, technicians)
def test_hard_limits_hold(orders: list[Need], people: list[Technician]) -> None:
    by_id = {person.staff_id: person for person in people}
    chosen = match(orders, people, NOW, POLICY.matching)
    for order in orders:
        staff_id = chosen[order.order_id]
        if staff_id is None:
            continue
        person = by_id[staff_id]
        assert staff_id not in order.excluded
        assert order.area_id in person.areas
        assert on_shift(person, SHANGHAI, NOW)
        assert person.skills["elevator"] is None or person.skills["elevator"] >= date(2026, 11, 23)
    for person in people:
        given_now = sum(1 for staff_id in chosen.values() if staff_id == person.staff_id)
        assert given_now == 0 or person.load + given_now <= max(POLICY.matching.capacity.values())


def test_an_emergency_goes_before_others() -> None:
    orders = [need(1, severity="minor"), need(2, severity="critical")]
    chosen = match(orders, [technician(1, load=3)], NOW, POLICY.matching)
    assert chosen == {1: 1, 2: 1}
    busy = match(orders, [technician(1, load=5)], NOW, POLICY.matching)
    assert busy == {1: None, 2: 1}


def test_load_area_and_familiarity_count_in_this_order() -> None:
    idle, busy = technician(1), technician(2, load=1, at=frozenset({(1, 1)}))
    assert match([need(1)], [busy, idle], NOW, POLICY.matching) == {1: 1}
    near, far = technician(1, load=1, at=frozenset({(1, 1)})), technician(2, load=1, at=frozenset({(1, 2)}))
    assert match([need(1, familiar=frozenset({2}))], [far, near], NOW, POLICY.matching) == {1: 1}
    assert match(
        [need(1, familiar=frozenset({2}))], [technician(1), technician(2)], NOW, POLICY.matching
    ) == {1: 2}


def test_why_chosen_names_the_merits() -> None:
    full = POLICY.matching.capacity["major"]
    people = [technician(1, load=1, at=frozenset({(1, 1)})), technician(2, load=2), technician(3, load=full)]
    why = why_chosen(need(1, familiar=frozenset({1})), people[0], people, NOW, POLICY)
    assert why.text == Text(
        zh="2 人符合条件；负荷最低（1 单）；就在同一区域；熟悉该设备",
        en="2 eligible; lowest load (1 in hand); same area; knows this asset",
    )


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ([technician(1, skills={})], "nobody holds the skill “elevator work”"),
        ([technician(1, left_on=date(2026, 1, 1))], "nobody holds the skill “elevator work”"),
        (
            [technician(1, shifts=LATER), technician(2, shifts=LATER)],
            "2 hold the skill “elevator work”, none on shift until 14:00",
        ),
        (
            [technician(1, shifts=(Shift(2, time(8), time(9)),)), technician(2, areas=frozenset())],
            "2 hold the skill “elevator work”, 1 not covering the area, 1 off shift until 08:00 tomorrow",
        ),
        (
            [technician(1, skills={"elevator": date(2026, 11, 1)}), technician(2, load=9)],
            "2 hold the skill “elevator work”, 1 with an expired licence, 1 with as many orders as allowed",
        ),
        (
            [technician(8), technician(9)],
            "2 hold the skill “elevator work”, all declined or did not answer in this round",
        ),
    ],
)
def test_why_nobody_says_what_is_missing(people: list[Technician], words: str) -> None:
    order = need(1, excluded=frozenset({8, 9}))
    assert why_nobody(order, people, NOW, POLICY).en == words


def test_a_night_shift_reaches_into_the_morning() -> None:
    night = technician(1, shifts=(Shift(7, time(22), time(6)),))  # Sunday night
    at = datetime(2026, 11, 22, 21, 59, tzinfo=UTC)  # Monday 05:59
    assert on_shift(night, SHANGHAI, at)
    assert not on_shift(night, SHANGHAI, datetime(2026, 11, 22, 22, 0, tzinfo=UTC))
    assert next_on_shift(night, SHANGHAI, at) == datetime(2026, 11, 29, 22, 0, tzinfo=SHANGHAI)


def test_a_storm_is_served_while_there_is_capacity() -> None:
    people = [technician(index, load=index % 3) for index in range(1, 101)]
    orders = [need(index, severity=SEVERITIES[index % 4]) for index in range(1, 301)]
    chosen = match(orders, people, NOW, POLICY.matching)
    assert sum(1 for staff_id in chosen.values() if staff_id is not None) == 300
