"""The bill run on a real database: who pays, what stands behind it, once, whoever races."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from psycopg import AsyncConnection
from psycopg.errors import CheckViolation, RestrictViolation, UniqueViolation
from psycopg_pool import AsyncConnectionPool

from billing import ledger, store
from billing.period import BadPeriod, Period
from billing.run import RunReport, UnknownCommunity, run_bills
from billing.voiding import VoidRefused, void_bill
from tests.integration.billing_town import (
    CLEANING,
    ELEVATOR_CARE,
    NOVEMBER_1,
    OCTOBER,
    Town,
    found_town,
    pay_whole,
    payment,
)


async def _bill(pool: AsyncConnectionPool, period: Period = OCTOBER, now: datetime = NOVEMBER_1) -> RunReport:
    return await run_bills(pool, period, now)


async def _count(conn: AsyncConnection, table: str) -> int:
    found = await conn.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - the tests' own names
    [count] = await found.fetchone() or (0,)
    return int(count)


@pytest.fixture
async def town(conn: AsyncConnection) -> Town:
    town = await found_town(conn)
    await town.add_unit("B1-101", "B1", "89.35", owner="wang")
    await town.add_unit("B1-102", "B1", "120.00", owner="li")
    await town.add_unit("B2-101", "B2", "64.20", owner="zhao")
    return town


async def test_a_bill_has_quantity_price_and_amount_of_every_basis(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "285")
    await town.add_item("UU", "unit", "1500")
    await town.add_item("PPP", "parking_space", "15000")
    await town.add_item("WWWW", "metered", "412.5", measure="m³")
    for space in ("P1", "P2"):
        await conn.execute(
            """INSERT INTO parking_space (community_id, unit_id, code, from_date)
               VALUES (%(community)s, %(unit)s, %(code)s, '2026-01-01')""",
            {"community": town.community_id, "unit": town.units["B1-101"], "code": space},
        )
    await town.add_meter("W-1", "B1-101", "WWWW", {"2026-09": "100.000", "2026-10": "107.300"})

    report = await _bill(pool)

    assert report.issued == 3
    page = await store.bill_for_party(conn, "2026-10-garden-B1-101", town.parties["wang"])
    assert page is not None
    assert [(line.basis, line.quantity, line.price_fen, line.amount_fen) for line in page.lines] == [
        ("area", Decimal("89.350"), Decimal("285.0000"), 25465),  # 25464.75
        ("unit", Decimal(1), Decimal(1500), 1500),
        ("parking_space", Decimal(2), Decimal(15000), 30000),
        ("metered", Decimal("7.300"), Decimal("412.5000"), 3011),  # 3011.25
    ]
    assert page.summary.total_fen == 59976
    assert page.summary.due_on == date(2026, 11, 25)
    assert page.summary.status == "unpaid"
    assert [part.amount_fen for part in page.lines[0].composition] == [15916, 9549]
    assert "W-1" in page.lines[3].note.zh
    assert "100.000" in page.lines[3].note.en
    other = await store.bill_for_party(conn, "2026-10-garden-B1-102", town.parties["li"])
    assert other is not None
    assert [line.basis for line in other.lines] == ["area", "unit"]


async def test_evidence_names_the_records_and_says_the_shortfall(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("E", "area", "50", standards=(ELEVATOR_CARE, CLEANING))
    await town.add_asset("B1-E1", "elevator", "B1")
    await town.add_asset("B1-E2", "elevator", "B1")
    await town.add_asset("L", "lobby", None)
    first = await town.add_record(
        "B1-E1", "elevator_maintenance", datetime(2026, 9, 30, 16, 0, tzinfo=UTC)
    )  # 1 October, 00:00 in Shanghai
    again = [
        await town.add_record("B1-E1", "elevator_maintenance", datetime(2026, 10, day, tzinfo=UTC))
        for day in (10, 20)
    ]
    late = await town.add_record(
        "B1-E2", "elevator_maintenance", datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    )  # 1 November there
    cleaned = await town.add_record("L", "cleaning", datetime(2026, 10, 2, tzinfo=UTC))

    await _bill(pool)

    page = await store.bill_for_party(conn, "2026-10-garden-B1-101", town.parties["wang"])
    assert page is not None
    line, credit = page.lines
    care, cleaning = line.standards
    assert (care.promised, care.delivered, care.shortfall) == (4, 2, 2)  # a third time on E1 is not E2's
    assert care.record_ids == (first, *again)
    assert (cleaning.promised, cleaning.delivered, cleaning.record_ids) == (3, 1, (cleaned,))
    assert (line.promised, line.delivered, line.shortfall) == (7, 3, 4)
    assert (credit.basis, credit.amount_fen, credit.quantity) == ("credit", -400, Decimal(2))
    assert page.summary.total_fen == line.amount_fen - 400
    assert await store.party_may_see_record(conn, town.parties["wang"], first)
    assert not await store.party_may_see_record(conn, town.parties["wang"], late)
    assert not await store.party_may_see_record(conn, town.parties["zhao"], first)
    assert await store.party_may_see_record(conn, town.parties["zhao"], cleaned)
    assert await _count(conn, "evidence") == 2  # one for each building, shared by its units


async def test_the_tenant_pays_and_who_is_left_out_is_said(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "285")
    await town.add_item("W", "metered", "400", measure="m³")
    await town.add_occupancy("B1-101", "tenant", "tenant", date(2026, 10, 20))
    await town.add_unit("B2-102", "B2")
    await town.add_meter("W-1", "B1-102", "W", {"2026-09": "5"})
    await town.add_meter("W-2", "B2-101", "W", {"2026-10": "5"})

    report = await _bill(pool)

    [one] = report.communities
    assert (one.units, one.issued, one.already) == (4, 3, 0)
    assert [(left.unit, left.reason) for left in one.left_out] == [
        ("B1-102", "no_reading"),
        ("B2-101", "no_earlier_reading"),
        ("B2-102", "no_occupancy"),
    ]
    assert "W-1" in one.left_out[0].detail
    [bill] = await store.bills_of_party(conn, town.parties["tenant"])
    assert (bill.number, bill.party_name) == ("2026-10-garden-B1-101", "tenant 先生")
    [owners] = await store.bills_of_party(conn, town.parties["wang"])  # the owner sees what the tenant pays
    assert owners.number == bill.number
    assert await store.bill_for_party(conn, bill.number, town.parties["li"]) is None


async def test_a_second_run_changes_nothing_and_next_month_stands_beside_it(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "285")
    await _bill(pool)
    again = await _bill(pool)
    assert (again.issued, again.communities[0].already) == (0, 3)
    assert await _count(conn, "bill") == 3

    await conn.execute("UPDATE charge_item SET to_date = '2026-10-31'")
    await town.add_item("A", "area", "300", from_date=date(2026, 11, 1))
    await run_bills(pool, Period(2026, 11), datetime(2026, 12, 1, tzinfo=UTC))
    page = await store.bill_for_office(conn, "2026-11-garden-B1-101", None)
    assert page is not None
    assert [(line.amount_fen, line.previous_fen) for line in page.lines] == [(26805, 25465)]
    assert page.previous_total_fen == 25465
    listed = await store.bills_of_office(conn, [town.community_id], date(2026, 11, 1))
    assert len(listed) == 3
    assert await store.bills_of_office(conn, []) == []


async def test_racing_runs_issue_each_bill_once(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "285")
    for at in range(40):
        await town.add_unit(f"B2-2{at:02d}", "B2", owner=f"o{at}")
    reports = await asyncio.gather(*(run_bills(pool, OCTOBER, NOVEMBER_1, units_a_chunk=3) for _ in range(4)))
    assert sum(report.issued for report in reports) == 43
    assert await _count(conn, "bill") == 43
    assert (await ledger.check(conn)).ok


async def test_months_that_cannot_be_billed_are_refused(pool: AsyncConnectionPool, town: Town) -> None:
    with pytest.raises(BadPeriod, match="has not begun in garden"):
        await _bill(pool, Period(2026, 12))
    with pytest.raises(BadPeriod, match="not over in garden until 2026-11-30"):
        await _bill(pool, Period(2026, 11))
    # Half past midnight on 1 November in Shanghai is still October in UTC: October can be billed.
    await _bill(pool, now=datetime(2026, 10, 31, 16, 30, tzinfo=UTC))
    with pytest.raises(UnknownCommunity, match="'nowhere' does not exist; known: garden"):
        await run_bills(pool, OCTOBER, NOVEMBER_1, communities=["nowhere"])
    assert town.code == "garden"


async def test_an_early_bill_credits_nothing_yet(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("E", "area", "50", standards=(ELEVATOR_CARE,))
    await town.add_asset("B1-E1", "elevator", "B1")
    await run_bills(pool, Period(2026, 11), NOVEMBER_1 + timedelta(days=3), early=True)
    page = await store.bill_for_office(conn, "2026-11-garden-B1-101", [town.community_id])
    assert page is not None
    [line] = page.lines
    assert line.shortfall == 2


async def test_prepayment_is_used_by_the_next_bill(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "100")
    await _bill(pool)
    number = "2026-10-garden-B1-102"
    await pay_whole(conn, payment(town.kiosk(), number, "B1-102", 30000))
    assert await store.prepaid_of_unit(conn, town.units["B1-102"]) == 18000
    report = await run_bills(pool, Period(2026, 11), datetime(2026, 12, 1, tzinfo=UTC))
    assert report.communities[0].prepaid_used_fen == 12000
    page = await store.bill_for_office(conn, "2026-11-garden-B1-102", None)
    assert page is not None
    assert (page.summary.status, page.summary.unpaid_fen, page.prepaid_fen) == ("paid", 0, 6000)
    assert [(one.amount_fen, one.allocated_fen) for one in page.payments] == [(30000, 12000)]
    assert (await ledger.check(conn)).ok


async def test_voiding_mirrors_the_bill_and_frees_its_money(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "100")
    await _bill(pool)
    number = "2026-10-garden-B1-102"
    await pay_whole(conn, payment(town.kiosk(), number, "B1-102", 5000))
    async with conn.transaction():
        voided = await void_bill(conn, "garden", number, NOVEMBER_1)
    assert (voided.credit_note, voided.total_fen, voided.prepaid_fen) == (f"{number}-V", -12000, 5000)
    assert (await ledger.check(conn)).ok
    page = await store.bill_for_office(conn, number, None)
    note = await store.bill_for_office(conn, voided.credit_note, None)
    assert page is not None
    assert note is not None
    assert (page.summary.status, page.summary.unpaid_fen, page.voided_by) == ("void", 0, voided.credit_note)
    assert (note.summary.status, note.voids, note.lines[0].amount_fen) == ("credit_note", number, -12000)
    for wrong, why in (
        (number, "voided before"),
        (voided.credit_note, "is a credit note"),
        ("x", "not exist"),
    ):
        with pytest.raises(VoidRefused, match=why):
            await void_bill(conn, "garden", wrong, NOVEMBER_1)

    skipped = await _bill(pool)
    assert (skipped.issued, [left.reason for left in skipped.communities[0].left_out]) == (0, ["voided"])
    again = await run_bills(pool, OCTOBER, NOVEMBER_1, reissue=True)
    assert again.issued == 1
    second = await store.bill_for_office(conn, f"{number}-2", None)
    assert second is not None
    assert (second.summary.status, second.summary.unpaid_fen) == ("partial", 7000)
    assert (await ledger.check(conn)).ok


@pytest.mark.parametrize(
    "table", ["bill", "bill_line", "evidence", "ledger_transaction", "ledger_entry", "payment", "allocation"]
)
async def test_what_was_issued_is_never_changed(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town, table: str
) -> None:
    await town.add_item("E", "area", "50", standards=(ELEVATOR_CARE,))
    await town.add_asset("B1-E1", "elevator", "B1")
    await _bill(pool)
    await pay_whole(conn, payment(town.kiosk(), "2026-10-garden-B1-102", "B1-102", 100))
    [column] = await (
        await conn.execute(
            """SELECT column_name FROM information_schema.columns
                WHERE table_name = %(table)s AND is_identity = 'NO' ORDER BY ordinal_position LIMIT 1""",
            {"table": table},
        )
    ).fetchone() or ("",)
    for statement in (
        f"UPDATE {table} SET {column} = {column}",  # noqa: S608 - the tests' own names
        f"DELETE FROM {table}",  # noqa: S608 - the tests' own names
        f"TRUNCATE {table} CASCADE",
    ):
        with pytest.raises(RestrictViolation, match="append-only"):
            await conn.execute(statement)


async def test_the_schema_refuses_books_that_do_not_add_up(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    await town.add_item("A", "area", "100")
    await _bill(pool)
    copy_bill = """INSERT INTO bill (community_id, number, unit_id, party_id, party_name, period, revision,
                                     total_fen, issued_at, due_on)
                   SELECT community_id, number || 'x', unit_id, party_id, party_name, period, %s, total_fen,
                          issued_at, due_on FROM bill LIMIT 1"""
    with pytest.raises(UniqueViolation):
        await conn.execute(copy_bill, [1])
    with pytest.raises(CheckViolation, match="no lines that sum"):
        await conn.execute(copy_bill, [2])
    copy_line = """INSERT INTO bill_line (bill_id, position, charge_item_id, name_zh, name_en, basis,
                                          quantity, price_fen, amount_fen, contract)
                   SELECT bill_id, position + 1, charge_item_id, name_zh, name_en, basis, quantity, price_fen,
                          amount_fen, contract FROM bill_line LIMIT 1"""
    with pytest.raises(CheckViolation, match="do not sum to its total"):
        await conn.execute(copy_line)
    await conn.execute("BEGIN")
    await conn.execute(copy_bill, [2])
    await conn.execute(
        copy_line.replace("position + 1", "1").replace("bill_id, 1", "currval('bill_id_seq'), 1")
    )
    with pytest.raises(CheckViolation, match="beside a bill that is not void"):
        await conn.execute("COMMIT")
    with pytest.raises(CheckViolation, match="do not sum to zero"):
        await conn.execute(
            """INSERT INTO ledger_entry (transaction_id, position, account_id, amount_fen)
               SELECT transaction_id, 9, account_id, 1 FROM ledger_entry LIMIT 1"""
        )
    with pytest.raises(CheckViolation, match="has no entries"):
        await conn.execute(
            """INSERT INTO ledger_transaction (community_id, kind, ref, at)
               SELECT community_id, kind, 'x', at FROM ledger_transaction LIMIT 1"""
        )
