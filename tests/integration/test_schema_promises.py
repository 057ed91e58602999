"""What the schema itself promises, whoever races and whatever the code above it gets wrong."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.errors import CheckViolation, RestrictViolation, UniqueViolation

from storage.pool import in_utc
from tests.integration.schema_rows import (
    ALARM,
    ALLOCATION,
    BILL,
    DEAD_LETTER,
    EVENT,
    LINE,
    MESSAGE_OUT,
    OFFERS,
    ORDER,
    PAYMENT,
    RECORD,
    TRANSACTION,
    plant,
)


@dataclass(frozen=True, slots=True)
class Racers:
    """Two connections with a transaction each."""

    first: AsyncConnection
    second: AsyncConnection
    watcher: AsyncConnection

    async def race(self, statement: str, *parameters: dict[str, object]) -> None:
        """Both run the statement before either commits: the second waits for the first, then sees it won.

        The outcome of the second is this call's; both have committed or failed when it returns.
        """
        one, other = parameters or ({}, {})
        await self.first.execute(statement, one)
        late = asyncio.create_task(self.late(statement, other))
        await self.until_blocked(late)
        await self.first.commit()
        await late

    async def late(self, statement: str, parameters: dict[str, object]) -> None:
        await self.second.execute(statement, parameters)
        await self.second.commit()

    async def until_blocked(self, late: "asyncio.Task[None]") -> None:
        blocked = "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s AND wait_event_type = 'Lock'"
        pid = {"pid": self.second.info.backend_pid}
        async with asyncio.timeout(60):
            while not await (await self.watcher.execute(blocked, pid)).fetchone():
                if late.done():
                    await late
                    raise AssertionError("nothing held the second one back: both would have won")


@pytest.fixture
async def racers(conn: AsyncConnection, database_url: str) -> AsyncIterator[Racers]:
    await plant(conn)
    url = in_utc(database_url)
    async with await AsyncConnection.connect(url) as first, await AsyncConnection.connect(url) as second:
        yield Racers(first, second, conn)


async def number(conn: AsyncConnection, query: str) -> int:
    row = await (await conn.execute(query)).fetchone()
    assert row is not None
    return int(row[0])


async def test_one_live_alarm_a_device_and_rule(racers: Racers) -> None:
    with pytest.raises(UniqueViolation, match="alarm_live"):
        await racers.race(ALARM)
    await racers.watcher.execute("UPDATE alarm SET cleared_at = raised_at WHERE rule = 'overflow'")
    await racers.watcher.execute(ALARM)
    assert await number(racers.watcher, "SELECT count(*) FROM alarm WHERE rule = 'overflow'") == 2


async def test_one_live_order_an_alarm(racers: Racers) -> None:
    with pytest.raises(UniqueViolation, match="work_order_live_alarm"):
        await racers.race(ORDER, {"number": "W8"}, {"number": "W9"})
    await racers.watcher.execute("UPDATE work_order SET status = 'cancelled' WHERE number = 'W8'")
    await racers.watcher.execute(ORDER, {"number": "W10"})


async def test_an_order_is_accepted_once(racers: Racers) -> None:
    await racers.watcher.execute(OFFERS)
    with pytest.raises(UniqueViolation, match="offer_accepted"):
        await racers.race(
            "UPDATE offer SET status = 'accepted' WHERE staff_id = %(staff)s", {"staff": 1}, {"staff": 2}
        )
    assert await number(racers.watcher, "SELECT count(*) FROM offer WHERE status = 'accepted'") == 1


async def test_a_plan_opens_its_order_once(racers: Racers) -> None:
    run = "INSERT INTO plan_run (plan_id, asset_id, due_on, order_id) VALUES (1, 1, '2026-11-16', %(order)s)"
    with pytest.raises(UniqueViolation):
        await racers.race(run, {"order": 1}, {"order": 2})


async def test_the_chain_of_records_does_not_fork(racers: Racers) -> None:
    with pytest.raises(UniqueViolation, match="prev_hash"):
        await racers.race(
            RECORD,
            {"seq": 2, "order": 2, "prev": "h1", "hash": "h2"},
            {"seq": 3, "order": 2, "prev": "h1", "hash": "h3"},
        )


async def test_an_order_has_one_record(racers: Racers) -> None:
    with pytest.raises(UniqueViolation, match="maintenance_record_once"):
        await racers.race(
            RECORD,
            {"seq": 2, "order": 2, "prev": "h1", "hash": "h2"},
            {"seq": 3, "order": 2, "prev": "h2", "hash": "h3"},
        )


async def test_one_bill_a_unit_and_month(racers: Racers) -> None:
    async with racers.first.transaction():
        row = await (await racers.first.execute(BILL, {"number": "N3", "total": 5})).fetchone()
        assert row is not None
        await racers.first.execute(LINE, {"bill": row[0], "position": 1, "fen": 5})
        late = asyncio.create_task(racers.late(BILL, {"number": "N4", "total": 5}))
        await racers.until_blocked(late)
    with pytest.raises(UniqueViolation, match="bill_once"):
        await late


async def test_a_payment_is_taken_once(racers: Racers) -> None:
    with pytest.raises(UniqueViolation, match="transaction_id"):
        await racers.race(PAYMENT, {"receipt": "R2"}, {"receipt": "R3"})
    assert await number(racers.watcher, "SELECT count(*) FROM payment WHERE transaction_id = 't2'") == 1


async def test_a_payment_is_given_out_once(racers: Racers) -> None:
    """Of 1500 fen 600 are on the first bill: 1000 more would be too much, however it is tried."""
    with pytest.raises(CheckViolation, match="allocated more than once"):
        await racers.watcher.execute(ALLOCATION, {"bill": 2, "fen": 1000})
    with pytest.raises(UniqueViolation, match="allocation_once"):
        await racers.race(ALLOCATION, {"bill": 2, "fen": 500}, {"bill": 2, "fen": 500})
    assert await number(racers.watcher, "SELECT sum(amount_fen) FROM allocation") == 1100


async def test_readings_of_two_gateways_are_one(racers: Racers) -> None:
    await racers.race(EVENT)
    assert await number(racers.watcher, "SELECT count(*) FROM event") == 1


async def test_a_dead_letter_and_a_message_out_are_kept_once(racers: Racers) -> None:
    with pytest.raises(UniqueViolation):
        await racers.race(DEAD_LETTER)
    await racers.second.rollback()
    with pytest.raises(UniqueViolation):
        await racers.race(MESSAGE_OUT)


async def test_the_lines_of_a_bill_sum_to_its_total(racers: Racers) -> None:
    conn = racers.first
    row = await (await conn.execute(BILL, {"number": "N5", "total": 700})).fetchone()
    assert row is not None
    with pytest.raises(CheckViolation, match="the lines of bill N5 do not sum to its total"):
        await conn.execute(LINE, {"bill": row[0], "position": 1, "fen": 699})
    await conn.rollback()
    with pytest.raises(CheckViolation, match="the lines of bill N1 do not sum to its total"):
        await conn.execute(LINE, {"bill": 1, "position": 2, "fen": 1})


async def test_a_bill_without_lines_does_not_commit(racers: Racers) -> None:
    await racers.first.execute(BILL, {"number": "N6", "total": 0})
    with pytest.raises(CheckViolation, match="bill N6 has no lines"):
        await racers.first.commit()


async def test_the_ledger_sums_to_zero(racers: Racers) -> None:
    conn = racers.first
    row = await (await conn.execute(TRANSACTION)).fetchone()
    assert row is not None
    with pytest.raises(CheckViolation, match="do not sum to zero"):
        await conn.execute(
            "INSERT INTO ledger_entry VALUES (%(id)s, 1, 1, 500), (%(id)s, 2, 2, -499)", {"id": row[0]}
        )
    await conn.rollback()
    await conn.execute(TRANSACTION)
    with pytest.raises(CheckViolation, match="has no entries"):
        await conn.commit()


async def test_nothing_waits_for_ever(racers: Racers) -> None:
    with pytest.raises(CheckViolation, match="nothing_waits_for_ever"):
        await racers.watcher.execute("UPDATE work_order SET due_at = NULL WHERE id = 1")
    with pytest.raises(CheckViolation, match="accepted_has_assignee"):
        await racers.watcher.execute("UPDATE work_order SET status = 'accepted' WHERE id = 1")


APPEND_ONLY = [
    "alarm_event",
    "allocation",
    "bill",
    "bill_line",
    "evidence",
    "ledger_account",
    "ledger_entry",
    "ledger_transaction",
    "maintenance_record",
    "order_move",
    "payment",
    "payment_refusal",
    "rule_version",
    "ticket_entry",
]


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_is_written_stays_as_it_was(conn: psycopg.AsyncConnection, table: str) -> None:
    await plant(conn)
    name = sql.Identifier(table)
    first = await (
        await conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum = 1",
            {"table": table},
        )
    ).fetchone()
    assert first is not None
    column = sql.Identifier(first[0])
    whole = sql.SQL("SELECT {0}::text FROM {0} ORDER BY 1").format(name)
    before = await (await conn.execute(whole)).fetchall()
    assert before
    for statement in (
        # Also where nothing would change, and also for a column that may be set to itself only.
        sql.SQL("UPDATE {} SET {} = {}").format(name, sql.Identifier("position"), sql.Identifier("position"))
        if table in {"bill_line", "ledger_entry"}
        else sql.SQL("UPDATE {0} SET {1} = DEFAULT").format(name, column),
        sql.SQL("DELETE FROM {}").format(name),
        sql.SQL("TRUNCATE {} CASCADE").format(name),
    ):
        with pytest.raises(RestrictViolation, match="is append-only: a correction is a new row"):
            await conn.execute(statement)
    assert await (await conn.execute(whole)).fetchall() == before


async def test_every_append_only_table_is_tried(conn: psycopg.AsyncConnection) -> None:
    rows = await (
        await conn.execute(
            "SELECT DISTINCT relname::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE tgfoid = 'refuse_change'::regproc ORDER BY 1"
        )
    ).fetchall()
    assert [table for (table,) in rows] == APPEND_ONLY


async def test_readings_are_kept_by_the_engine_that_is_there(conn: psycopg.AsyncConnection) -> None:
    loaded = await number(conn, "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
    kind = await (
        await conn.execute("SELECT relkind::text FROM pg_class WHERE oid = 'reading'::regclass")
    ).fetchone()
    assert kind == ("r" if loaded else "p",)
