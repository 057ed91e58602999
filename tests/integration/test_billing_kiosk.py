"""Kiosk payments on a real database: once, with a receipt, or refused with a reason."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.errors import CheckViolation
from psycopg_pool import AsyncConnectionPool

from billing import kiosk, ledger, store
from billing.run import run_bills
from billing.signing import key_pair_of
from billing.voiding import void_bill
from gateway.kiosk import KioskAsk, KioskPayment
from gateway.outbox import OutboxMessage
from tests.integration.billing_town import (
    NOVEMBER_1,
    OCTOBER,
    Town,
    found_town,
    pay_whole,
    payment,
)

BILL = "2026-10-garden-B1-101"


@pytest.fixture
async def town(pool: AsyncConnectionPool, conn: AsyncConnection) -> Town:
    """Two units with a bill of ¥100.00 and ¥50.00."""
    town = await found_town(conn)
    await town.add_unit("B1-101", "B1", "100.00", owner="wang")
    await town.add_unit("B1-102", "B1", "50.00", owner="li")
    await town.add_item("A", "area", "100")
    await run_bills(pool, OCTOBER, NOVEMBER_1)
    return town


def _said(message: OutboxMessage) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(message.payload)
    return said


async def _sums(conn: AsyncConnection) -> tuple[int, int, int]:
    """Payments, what they sum to, and what of it is allocated."""
    rows = await conn.execute(
        """SELECT count(*), coalesce(sum(amount_fen), 0)::bigint,
                  (SELECT coalesce(sum(amount_fen), 0)::bigint FROM allocation) FROM payment"""
    )
    count, paid, allocated = await rows.fetchone() or (0, 0, 0)
    return count, paid, allocated


async def test_a_payment_is_taken_once_and_answered_with_the_same_receipt(
    conn: AsyncConnection, town: Town
) -> None:
    message = payment(town.kiosk(), BILL, "B1-101", 10_000)
    first = await pay_whole(conn, message)
    again = await pay_whole(conn, message, NOVEMBER_1 + timedelta(hours=1))
    assert again == first
    assert first.topic == "clerestory/garden/K1/receipt"
    assert first.key.startswith("receipt:kiosk:garden:K1:K1-1:")
    said = _said(first)
    assert (said["status"], said["reason"]) == ("accepted", None)
    assert (said["allocated_fen"], said["prepaid_fen"], said["balance_fen"]) == (10_000, 0, 0)
    assert said["receipt_no"] in said["text"]["zh"]
    assert said["receipt_no"] in said["text"]["en"]
    assert await _sums(conn) == (1, 10_000, 10_000)
    [bill] = await store.bills_of_party(conn, town.parties["wang"])
    assert (bill.status, bill.unpaid_fen) == ("paid", 0)
    assert (await ledger.check(conn)).ok


async def test_part_then_more_than_the_rest(conn: AsyncConnection, town: Town) -> None:
    part = _said(await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 4_000)))
    assert (part["allocated_fen"], part["balance_fen"]) == (4_000, 6_000)
    rest = _said(await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 9_000, transaction_id="K1-2")))
    assert (rest["allocated_fen"], rest["prepaid_fen"], rest["balance_fen"]) == (6_000, 3_000, 0)
    assert "¥30.00" in rest["text"]["zh"]
    page = await store.bill_for_party(conn, BILL, town.parties["wang"])
    assert page is not None
    assert (page.summary.status, page.prepaid_fen) == ("overpaid", 3_000)
    assert [one.allocated_fen for one in page.payments] == [4_000, 6_000]
    assert (await ledger.check(conn)).ok


async def test_another_body_under_a_known_id_is_refused_and_kept(conn: AsyncConnection, town: Town) -> None:
    first = await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 10_000))
    for _ in range(2):
        said = _said(await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 9_999)))
        assert (said["status"], said["reason"]) == ("refused", "transaction_conflict")
    assert await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 10_000)) == first
    assert (await _sums(conn))[0] == 1
    [kept] = await store.refusals(conn, [town.community_id])
    assert (kept.reason, kept.transaction_id, kept.channel) == (
        "transaction_conflict",
        "K1-1",
        "kiosk:garden:K1",
    )
    # Another kiosk of the same community has ids of its own.
    other = _said(await pay_whole(conn, payment(town.kiosk("K2"), BILL, "B1-101", 1)))
    assert other["status"] == "accepted"


async def test_refusals_say_what_would_be_right(conn: AsyncConnection, town: Town) -> None:
    neighbour = await found_town(conn, "lake")
    good = payment(town.kiosk(), BILL, "B1-101", 10_000)
    cases: list[tuple[KioskPayment, str, str]] = [
        (replace(good, signature=bytes(64)), "bad_signature", "does not fit"),
        (payment(town.kiosk(), BILL, "B1-101", 1, keys=key_pair_of(b"x" * 32)), "bad_signature", "does not"),
        (payment(town.kiosk(keys=None), BILL, "B1-101", 1), "bad_signature", "has none; add it"),
        (payment(town.kiosk(), BILL, "B1-101", 0, transaction_id="a"), "bad_amount", "right is 1 to"),
        (payment(town.kiosk(), BILL, "B1-101", -5, transaction_id="b"), "bad_amount", "-5"),
        (payment(town.kiosk(), BILL, "B1-101", 2**52, transaction_id="c"), "bad_amount", "right is 1 to"),
        (
            payment(town.kiosk(), "x", "B1-101", 5, transaction_id="d"),
            "unknown_bill",
            "no such bill in garden",
        ),
        (payment(town.kiosk(), BILL, "B1-102", 5, transaction_id="e"), "wrong_unit", "of another unit"),
        (payment(neighbour.kiosk(), BILL, "B1-101", 5), "unknown_bill", "no such bill in lake"),
        (payment(town.kiosk(), BILL, "B1-101", 5, transaction_id="t" * 5000), "bad_transaction_id", "5000"),
    ]
    for message, reason, detail in cases:
        first = await pay_whole(conn, message)
        again = await pay_whole(conn, message)
        assert first == again
        said = _said(first)
        assert (said["status"], said["reason"], said["receipt_no"]) == ("refused", reason, None)
        assert said["text"]["zh"]
        assert len(first.key) < 200
        kept = await store.refusals(conn, None, limit=1)
        assert detail in kept[0].detail
    assert len(await store.refusals(conn, None)) == len(cases)
    assert await _sums(conn) == (0, 0, 0)


async def test_the_first_signed_answer_binds(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    early = payment(town.kiosk(), "2026-11-garden-B1-101", "B1-101", 500)
    refused = await pay_whole(conn, early)
    await run_bills(pool, OCTOBER.next, NOVEMBER_1 + timedelta(days=40))
    # The kiosk gave the money back: a late duplicate of the message must not take it.
    assert await pay_whole(conn, early) == refused
    other = _said(await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 500)))
    assert other["reason"] == "transaction_conflict"
    # A wrong signature binds nothing: anybody may have sent it.
    forged = payment(town.kiosk(), BILL, "B1-101", 700, transaction_id="n", keys=key_pair_of(b"x" * 32))
    assert _said(await pay_whole(conn, forged))["reason"] == "bad_signature"
    taken = _said(await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 700, transaction_id="n")))
    assert taken["status"] == "accepted"


async def _pay_on(pool: AsyncConnectionPool, message: KioskPayment) -> OutboxMessage:
    async with pool.connection() as conn:
        return await pay_whole(conn, message)


async def test_the_same_payment_on_many_connections_at_once_is_one(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    message = payment(town.kiosk(), BILL, "B1-101", 10_000)
    receipts = await asyncio.gather(*(_pay_on(pool, message) for _ in range(8)))
    assert len(set(receipts)) == 1
    assert await _sums(conn) == (1, 10_000, 10_000)
    assert (await ledger.check(conn)).ok


async def test_the_second_connection_waits_for_the_first_to_commit(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    message = payment(town.kiosk(), BILL, "B1-101", 10_000)
    async with conn.transaction():
        first = await kiosk.pay(conn, message, NOVEMBER_1)
        second = asyncio.create_task(_pay_on(pool, message))
        watching = await AsyncConnection.connect(conn.info.dsn, password=conn.info.password, autocommit=True)
        async with watching:
            while not await _somebody_waits(watching):
                assert not second.done()
    assert await second == first
    assert (await _sums(conn))[0] == 1


async def _somebody_waits(conn: AsyncConnection) -> bool:
    found = await conn.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return await found.fetchone() is not None


async def test_racing_payments_never_pay_a_bill_twice(
    pool: AsyncConnectionPool, conn: AsyncConnection, town: Town
) -> None:
    messages = [payment(town.kiosk(), BILL, "B1-101", 3_000, transaction_id=f"K1-{at}") for at in range(8)]
    receipts = await asyncio.gather(*(_pay_on(pool, message) for message in messages))
    allocated = sorted(_said(receipt)["allocated_fen"] for receipt in receipts)
    assert allocated == [0, 0, 0, 0, 1_000, 3_000, 3_000, 3_000]
    assert await _sums(conn) == (8, 24_000, 10_000)
    assert await store.prepaid_of_unit(conn, town.units["B1-101"]) == 14_000
    assert (await ledger.check(conn)).ok


async def test_money_for_a_voided_bill_becomes_prepayment(conn: AsyncConnection, town: Town) -> None:
    async with conn.transaction():
        await void_bill(conn, "garden", BILL, NOVEMBER_1)
    said = _said(await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 2_000)))
    assert (said["allocated_fen"], said["prepaid_fen"], said["balance_fen"]) == (0, 2_000, 0)
    assert (await ledger.check(conn)).ok


async def test_the_schema_refuses_to_give_a_payment_out_twice(conn: AsyncConnection, town: Town) -> None:
    await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 10_000))
    with pytest.raises(CheckViolation, match="allocated more than once"):
        await conn.execute(
            """INSERT INTO allocation (payment_id, bill_id, amount_fen, at)
               SELECT payment.id, bill.id, 1, now() FROM payment, bill
                WHERE bill.number = '2026-10-garden-B1-102'"""
        )
    await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 500, transaction_id="K1-2"))
    with pytest.raises(CheckViolation, match="paid beyond its total"):
        await conn.execute(
            """INSERT INTO allocation (payment_id, bill_id, amount_fen, at)
               SELECT id, bill_id, 500, now() FROM payment WHERE transaction_id = 'K1-2'"""
        )


async def test_a_kiosk_may_ask_by_bill_or_by_unit(conn: AsyncConnection, town: Town) -> None:
    def ask(bill_no: str | None, unit: str | None, request_id: str = "7") -> KioskAsk:
        return KioskAsk(town.kiosk(), NOVEMBER_1, request_id, bill_no, unit)

    async def answered(question: KioskAsk) -> dict[str, Any]:
        message = await kiosk.answer(conn, question, NOVEMBER_1)
        assert message.topic == "clerestory/garden/K1/answer"
        return _said(message)

    found = await answered(ask(None, "B1-101"))
    assert found == await answered(ask(BILL, None))
    assert (found["status"], found["request_id"], found["bill_no"]) == ("found", "7", BILL)
    assert (found["total_fen"], found["unpaid_fen"], found["due_on"]) == (10_000, 10_000, "2026-11-25")
    assert found["lines"] == [{"name": {"zh": "A 费", "en": "A fee"}, "amount_fen": 10_000}]
    before = await kiosk.answer(conn, ask(None, "B1-101"), NOVEMBER_1)
    assert before == await kiosk.answer(conn, ask(None, "B1-101"), NOVEMBER_1)
    await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 10_500))
    after = await kiosk.answer(conn, ask(None, "B1-101"), NOVEMBER_1)
    assert after.key != before.key
    assert (_said(after)["status"], _said(after)["prepaid_fen"]) == ("nothing_due", 500)
    paid = await answered(ask(BILL, "B1-101"))
    assert (paid["paid_fen"], paid["unpaid_fen"]) == (10_000, 0)
    for bill_no, unit in ((None, "B9-1"), ("x", None), (BILL, "B1-102"), (None, None)):
        assert (await answered(ask(bill_no, unit)))["status"] == "not_found"


async def test_a_void_bill_is_not_asked_for(conn: AsyncConnection, town: Town) -> None:
    async with conn.transaction():
        await void_bill(conn, "garden", BILL, NOVEMBER_1)
    question = KioskAsk(town.kiosk(), NOVEMBER_1, "1", BILL, None)
    assert _said(await kiosk.answer(conn, question, NOVEMBER_1))["status"] == "nothing_due"


async def test_the_check_says_what_does_not_fit(conn: AsyncConnection, town: Town) -> None:
    await pay_whole(conn, payment(town.kiosk(), BILL, "B1-101", 12_000))
    assert (await ledger.check(conn)).ok
    await conn.execute("SET session_replication_role = replica")  # as somebody with the keys would
    for statement, finding in (
        ("UPDATE ledger_entry SET amount_fen = amount_fen + 1 WHERE amount_fen = 12000", "transaction_sum"),
        ("UPDATE bill SET total_fen = total_fen + 1 WHERE number = '2026-10-garden-B1-102'", "bill_lines"),
        ("UPDATE payment SET amount_fen = amount_fen - 3000", "payment_allocated"),
        ("DELETE FROM ledger_transaction WHERE kind = 'payment'", "payment_transaction"),
    ):
        async with conn.transaction(force_rollback=True):
            await conn.execute(statement)
            found = await ledger.check(conn)
            assert not found.ok
            assert finding in {one.finding for one in found.discrepancies}
            assert all(one.community == "garden" for one in found.discrepancies)
    assert (await ledger.check(conn)).ok
