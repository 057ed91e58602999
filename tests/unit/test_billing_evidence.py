"""Promised, delivered, and the records that prove it."""

from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.charging import Charge, ChargeItem
from billing.evidence import Asset, Month, Record, Standard, credits_due
from billing.issuing import Backing, draft_lines, income
from config.text import Text

CARE = Standard("care", "elevator", 2, "asset", Text(zh="电梯维保", en="elevator maintenance"), 200)
CLEAN = Standard("clean", "lobby", 30, "scope", Text(zh="保洁", en="cleaning"))
ASSETS = [
    Asset(1, "elevator", 10),
    Asset(2, "elevator", 10),
    Asset(3, "elevator", 20),
    Asset(4, "lobby", None),
]


def _records(*pairs: tuple[str, int]) -> list[Record]:
    return [Record(at, kind, asset) for at, (kind, asset) in enumerate(pairs, 100)]


def test_work_on_one_asset_does_not_stand_in_for_another() -> None:
    month = Month(ASSETS, _records(("care", 1), ("care", 1), ("care", 1), ("care", 3), ("other", 2)))
    [found] = month.find([CARE], 10)
    assert (found.promised, found.delivered, found.shortfall) == (4, 2, 2)
    assert found.record_ids == (100, 101, 102)
    [other] = month.find([CARE], 20)
    assert (other.promised, other.delivered, other.record_ids) == (2, 1, (103,))


def test_a_scope_counts_all_records_and_assets_without_building_serve_all() -> None:
    month = Month(ASSETS, _records(*[("clean", 4)] * 31))
    for building in (10, 20, 30):
        [found] = month.find([CLEAN], building)
        assert (found.promised, found.delivered, found.shortfall) == (30, 31, 0)


def test_without_an_asset_nothing_is_promised_per_asset_but_a_scope_still_is() -> None:
    month = Month([], [])
    assert month.find([CARE], 10) == ()
    [found] = month.find([CLEAN], 10)
    assert found.shortfall == 30


kinds = st.sampled_from(["care", "clean", "other"])
assets = st.lists(
    st.tuples(st.sampled_from(["elevator", "lobby"]), st.sampled_from([None, 10, 20])), max_size=6
)


@given(
    assets,
    st.lists(st.tuples(kinds, st.integers(0, 5)), max_size=30),
    st.integers(1, 4),
    st.sampled_from(["asset", "scope"]),
    st.sampled_from([10, 20, 30]),
)
def test_found_is_what_a_plain_count_finds(
    drawn: list[tuple[str, int | None]],
    works: list[tuple[str, int]],
    times: int,
    per: str,
    building: int,
) -> None:
    things = [Asset(at, asset_class, where) for at, (asset_class, where) in enumerate(drawn)]
    records = _records(*works)
    standard = replace(CARE, times=times, per="asset" if per == "asset" else "scope")
    serving = {
        one.asset_id
        for one in things
        if one.asset_class == "elevator" and one.building_id in (None, building)
    }
    count = Counter(one.asset_id for one in records if one.kind == "care" and one.asset_id in serving)
    proofs = tuple(one.record_id for one in records if one.kind == "care" and one.asset_id in serving)
    found = Month(things, records).find([standard], building)
    if per == "asset" and not serving:
        assert found == ()
        return
    [one] = found
    assert one.record_ids == proofs
    if per == "asset":
        assert one.promised == times * len(serving)
        assert one.delivered == sum(min(count[asset], times) for asset in serving)
        assert one.shortfall == sum(max(0, times - count[asset]) for asset in serving)
    else:
        assert (one.promised, one.delivered) == (times, sum(count.values()))


@given(st.integers(0, 5000), st.integers(0, 3), st.integers(0, 300))
def test_a_credit_never_exceeds_the_charge(charged: int, done: int, credit: int) -> None:
    standards = [replace(CARE, credit_fen=credit), replace(CARE, kind="clean", credit_fen=credit)]
    found = Month(ASSETS, _records(*[("care", 1)] * done)).find(standards, 10)
    due = credits_due(standards, found, charged)
    assert sum(one.amount_fen for one in due) == min(charged, sum(one.shortfall for one in found) * credit)
    assert all(one.amount_fen > 0 for one in due)


def test_credit_lines_stand_under_their_charge_and_say_why() -> None:
    items = [
        ChargeItem(at, code, Text(zh=code, en=code), "area", Decimal(3), "", date(2026, 1, 1), None)
        for at, code in enumerate(("E", "F"))
    ]
    charged = [Charge(item, Decimal(100), "m²", 300) for item in items]
    found = Month(ASSETS, _records(("care", 1))).find([CARE], 10)
    backings = {0: Backing(7, (CARE,), found)}
    previous = {("E", "area", ""): 290, ("E", "credit", "care/elevator"): -200}
    lines = draft_lines(charged, backings, previous, credit=True)
    assert [(line.item.code, line.basis, line.amount_fen, line.previous_fen) for line in lines] == [
        ("E", "area", 300, 290),
        ("E", "credit", -300, -200),  # 3 missing × 200, capped
        ("F", "area", 300, None),
    ]
    assert [line.evidence_id for line in lines] == [7, None, None]
    assert "缺 3 次" in lines[1].note.zh
    assert "at most what was charged" in lines[1].note.en
    assert income(lines) == {"E": 0, "F": 300}
    assert [line.basis for line in draft_lines(charged, backings, {}, credit=False)] == ["area", "area"]
