"""What a round left in the database, in the same shapes as the oracle's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from storage.pool import in_utc
from tests.chaos.money import Books
from tests.chaos.oracle import Alarm, Happening, Row, Step
from tests.chaos.work import Link, Order

Letter = tuple[str, bytes, str]
"""Topic, payload as kept, reason."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An alarm that was raised and, when all was known, never was."""

    device: str
    rule: str
    told: bool
    ordered: bool  # an order of it is still to be done


@dataclass(frozen=True, slots=True)
class Found:
    """All of it; lists, so that what is there twice is seen."""

    at: datetime  # when it was looked at
    readings: list[Row]
    events: list[Happening]
    alarms: list[Alarm]
    steps: list[Step]
    withdrawn: list[Withdrawn]
    orders: list[Order]
    links: list[Link]
    letters: list[Letter]
    books: Books
    unsent: int
    receipts: dict[tuple[str, str], str]


async def look(url: str) -> Found:
    """Read everything; raises psycopg's OperationalError while the database is away."""
    async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
        return Found(
            at=(await _rows(conn, "SELECT clock_timestamp()"))[0][0],
            readings=await _rows(
                conn,
                "SELECT device.code, signal.name, ts, value FROM reading"
                " JOIN device ON device.id = device_id JOIN signal ON signal.id = signal_id",
            ),
            events=await _rows(
                conn,
                "SELECT device.code, event.code, ts, detail FROM event JOIN device ON device.id = device_id",
            ),
            alarms=[
                Alarm(*row)
                for row in await _rows(
                    conn,
                    "SELECT device.code, rule, raised_at, cleared_at, paged_at IS NOT NULL, severity,"
                    " coalesce(facts->>'flapped', '0')::float::int"
                    " FROM alarm JOIN device ON device.id = device_id WHERE NOT alarm.facts ? 'withdrawn'",
                )
            ],
            steps=[
                Step(*row)
                for row in await _rows(
                    conn,
                    "SELECT device.code, rule, raised_at, at, alarm_event.severity FROM alarm_event"
                    " JOIN alarm ON alarm.id = alarm_id JOIN device ON device.id = device_id"
                    " WHERE kind = 'severity' AND NOT alarm.facts ? 'withdrawn' ORDER BY alarm_event.id",
                )
            ],
            withdrawn=[
                Withdrawn(*row)
                for row in await _rows(
                    conn,
                    "SELECT device.code, rule, paged_at IS NOT NULL, EXISTS (SELECT FROM work_order"
                    " WHERE alarm_id = alarm.id AND status NOT IN ('cancelled', 'merged', 'completed'))"
                    " FROM alarm JOIN device ON device.id = device_id WHERE alarm.facts ? 'withdrawn'",
                )
            ],
            orders=await _rows(
                conn,
                # An alarm that lived on when all was known has a second order where the first was cancelled.
                "SELECT device.code, alarm.rule, alarm.raised_at, kind, status = 'cancelled'"
                " FROM work_order JOIN alarm ON alarm.id = alarm_id JOIN device ON device.id = device_id"
                " WHERE NOT alarm.facts ? 'withdrawn' AND NOT (status = 'cancelled' AND EXISTS"
                " (SELECT FROM work_order next WHERE next.alarm_id = alarm.id AND next.id > work_order.id))",
            ),
            links=await _links(conn),
            letters=[
                (topic, bytes(payload), reason)
                for topic, payload, reason in await _rows(
                    conn, "SELECT topic, payload, reason FROM dead_letter WHERE resolved_at IS NULL"
                )
            ],
            books=await _books(conn),
            unsent=await _one(
                conn, "SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND key LIKE 'receipt:%%'"
            ),
            receipts={
                (channel, transaction): receipt
                for channel, transaction, receipt in await _rows(
                    conn, "SELECT channel, transaction_id, receipt FROM payment"
                )
            },
        )


async def _links(conn: AsyncConnection) -> list[Link]:
    """Every alarm with every order it is behind."""
    return [
        Link(order, kind, opened, (device, rule, raised), at)
        for order, kind, opened, device, rule, raised, at in await _rows(
            conn,
            "SELECT order_id, work_order.kind, opened_at, device.code, alarm.rule, alarm.raised_at,"
            " alarm_order.at FROM alarm_order JOIN work_order ON work_order.id = order_id"
            " JOIN alarm ON alarm.id = alarm_order.alarm_id JOIN device ON device.id = alarm.device_id"
            " WHERE NOT alarm.facts ? 'withdrawn'",
        )
    ]


async def how_many(url: str) -> int:
    """How many readings and events are stored: cheap, for waiting."""
    async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
        return await _one(conn, "SELECT (SELECT count(*) FROM reading) + (SELECT count(*) FROM event)")


async def database_time(url: str) -> datetime:
    """The database's clock; answers only while it works."""
    async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
        [(now,)] = await _rows(conn, "SELECT clock_timestamp()")
        return now  # type: ignore[no-any-return]


async def _books(conn: AsyncConnection) -> Books:
    return Books(
        taken=frozenset(await _rows(conn, "SELECT channel, transaction_id, amount_fen FROM payment")),
        refused=frozenset(await _rows(conn, "SELECT channel, transaction_id, reason FROM payment_refusal")),
        allocated=frozenset(
            await _rows(
                conn,
                "SELECT bill.number, sum(allocation.amount_fen)::bigint"
                " FROM allocation JOIN bill ON bill.id = bill_id GROUP BY 1",
            )
        ),
        cash_fen=await _account(conn, "cash"),
        prepaid_fen=-await _account(conn, "prepayment"),
        receipts=await _one(conn, "SELECT count(*) FROM outbox WHERE key LIKE 'receipt:%%'"),
        sum_fen=await _one(conn, "SELECT coalesce(sum(amount_fen), 0)::bigint FROM ledger_entry"),
    )


async def _account(conn: AsyncConnection, kind: str) -> int:
    rows = await conn.execute(
        "SELECT coalesce(sum(amount_fen), 0)::bigint FROM ledger_entry"
        " JOIN ledger_account ON ledger_account.id = account_id WHERE kind = %(kind)s",
        {"kind": kind},
    )
    row = await rows.fetchone()
    return int(row[0]) if row else 0


async def _rows(conn: AsyncConnection, query: LiteralString) -> list[Any]:
    return await (await conn.execute(query)).fetchall()


async def _one(conn: AsyncConnection, query: LiteralString) -> int:
    [(value,)] = await _rows(conn, query.replace("%%", "%"))
    return int(value)
