"""Residents' requests on a real database: who owns them, who speaks, what is kept, what is refused."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.errors import CheckViolation
from psycopg_pool import AsyncConnectionPool

from config.text import Text
from desk import store, tickets
from desk.tickets import AlreadyClosed, AlreadyTaken, NewTicket, NothingSaid, NotTheOwner, NotToRate
from dispatch.orders import NewOrder
from dispatch.people import By
from dispatch.refusals import BadField
from tests import town as towns
from tests.manual_clock import ManualClock
from tests.town import Town

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Desk:
    """The town with what is asked in it."""

    conn: AsyncConnection
    town: Town
    clock: ManualClock

    def tap(self, login: str) -> By:
        return By(account_id=self.town.accounts[login], request_id=uuid4().hex)

    def asked(self, body: str = "电梯异响", **more: Any) -> NewTicket:  # noqa: ANN401 - any field
        ann = NewTicket(
            community_id=self.town.communities["home"],
            unit_id=self.town.units["B1-101"],
            party_id=self.town.parties["ann"],
            kind="repair",
            channel="page",
            body=body,
        )
        return replace(ann, **more)

    async def open(self, ticket: NewTicket | None = None, by: By | None = None) -> store.Ticket:
        async with self.conn.transaction():
            number = await tickets.open_ticket(
                self.conn, ticket or self.asked(), by or self.tap("ann"), self.clock.now()
            )
        return await self.read(number)

    async def read(self, number: str) -> store.Ticket:
        found = await store.ticket(self.conn, number, party_id=self.town.parties["ann"])
        assert found is not None
        return found

    async def taken(self, login: str = "dispatcher") -> store.Ticket:
        ticket = await self.open()
        await tickets.take(self.conn, ticket.id, self.town.accounts[login])
        return await self.read(ticket.number)

    async def closed(self) -> store.Ticket:
        ticket = await self.taken()
        async with self.conn.transaction():
            await tickets.close(self.conn, ticket.id, self.tap("dispatcher"), "已修好", self.clock.now())
        return await self.read(ticket.number)

    def order(self, asset: str = "L1", community: str = "home") -> NewOrder:
        return NewOrder(
            community_id=self.town.communities[community],
            asset_id=self.town.assets[asset],
            kind="elevator_repair",
            skill="elevator",
            severity="minor",
            title=Text(zh="电梯异响", en="Noise in the elevator"),
        )

    async def count(self, table: str) -> int:
        row = await (await self.conn.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])


@pytest.fixture
async def desk(conn: AsyncConnection, clock: ManualClock) -> Desk:
    return Desk(conn, await towns.build(conn), clock)


async def test_a_request_is_kept_with_its_deadline(desk: Desk) -> None:
    ticket = await desk.open(desk.asked("  一楼大厅\r\n灯不亮 \x00"))
    assert ticket.number == f"T-20261123-{ticket.id:06d}"
    assert (ticket.body, ticket.unit_code, ticket.owner_id) == ("一楼大厅\n灯不亮", "B1-101", None)
    assert ticket.respond_by - ticket.opened_at == tickets.FIRST_ANSWER_WITHIN
    assert await store.tickets_of_party(desk.conn, desk.town.parties["ann"]) == [ticket]


async def test_numbers_carry_the_day_of_the_community_and_outgrow_six_digits(desk: Desk) -> None:
    desk.clock.set(datetime(2026, 11, 23, 17, tzinfo=UTC))
    await desk.conn.execute("SELECT setval(pg_get_serial_sequence('ticket', 'id'), 1234567)")
    first, second = await desk.open(), await desk.open()
    assert (first.number, second.number) == ("T-20261124-1234568", "T-20261124-1234569")


async def test_one_tap_opens_one_request(desk: Desk, pool: AsyncConnectionPool) -> None:
    tap = desk.tap("ann")

    async def press() -> str:
        async with pool.connection() as conn:
            return await tickets.open_ticket(conn, desk.asked(), tap, desk.clock.now())

    assert len(set(await asyncio.gather(*(press() for _ in range(4))))) == 1
    assert await desk.count("ticket") == 1


@pytest.mark.parametrize("text", ["", "  \n\u3000", "\x00", "字" * 2001])
async def test_nothing_and_far_too_much_are_refused_everywhere(desk: Desk, text: str) -> None:
    ticket, now = await desk.taken(), desk.clock.now()
    tap = desk.tap("dispatcher")
    for attempt in (
        tickets.open_ticket(desk.conn, desk.asked(text), desk.tap("ann"), now),
        tickets.answer(desk.conn, ticket.id, tap, text, now),
        tickets.add_word(desk.conn, ticket.id, desk.tap("ann"), text, now),
        tickets.open_work(desk.conn, ticket.id, tap, desk.order(), text, now),
        tickets.close(desk.conn, ticket.id, tap, text, now),
    ):
        with pytest.raises(NothingSaid):
            await attempt
    assert await store.entries(desk.conn, ticket.id) == []
    assert (await desk.read(ticket.number)).answered_at is None
    assert await desk.count("work_order") == 0
    assert (await desk.open(desk.asked("字" * 2000))).body == "字" * 2000


async def test_a_request_is_about_ones_own_unit_and_bill(desk: Desk, pool: AsyncConnectionPool) -> None:
    bills = await towns.bill(pool, desk.clock.now())
    cursor = await desk.conn.execute("SELECT number, id FROM bill")
    ids: dict[str, int] = dict(await cursor.fetchall())
    own, bobs = ids[bills["B1-101"]], ids[bills["B1-102"]]
    ticket = await desk.open(desk.asked(bill_id=own, line=1))
    assert (ticket.bill_number, ticket.line_en) == (
        bills["B1-101"],
        "Elevator operation and maintenance",
    )
    wrongs: tuple[dict[str, Any], ...] = (
        {"bill_id": bobs, "line": 1},
        {"bill_id": own, "line": 77},
        {"bill_id": own},
        {"unit_id": desk.town.units["B1-102"]},
        {"community_id": desk.town.communities["far"]},
        {"party_id": desk.town.parties["eve"]},
    )
    for wrong in wrongs:
        with pytest.raises(tickets.NotTheirs):
            await desk.open(desk.asked(**wrong))
    assert await desk.count("ticket") == 1


async def test_of_two_who_take_it_at_once_one_owns_it(desk: Desk, pool: AsyncConnectionPool) -> None:
    ticket = await desk.open()

    async def take(login: str) -> str:
        async with pool.connection() as conn:
            await tickets.take(conn, ticket.id, desk.town.accounts[login])
        return login

    outcomes = await asyncio.gather(take("dispatcher"), take("manager"), return_exceptions=True)
    winners = [each for each in outcomes if isinstance(each, str)]
    assert [type(each) for each in outcomes if not isinstance(each, str)] == [AlreadyTaken]
    assert (await desk.read(ticket.number)).owner_id == desk.town.accounts[winners[0]]
    await tickets.take(desk.conn, ticket.id, desk.town.accounts[winners[0]])  # once more changes nothing


async def test_a_call_is_owned_by_whoever_took_it(desk: Desk) -> None:
    ticket = await desk.open(desk.asked(channel="phone"), desk.tap("dispatcher"))
    assert (ticket.owner_id, ticket.channel) == (desk.town.accounts["dispatcher"], "phone")
    with pytest.raises(AlreadyTaken):
        await tickets.take(desk.conn, ticket.id, desk.town.accounts["manager"])


async def test_only_the_owner_answers_and_the_first_answer_counts(desk: Desk) -> None:
    ticket = await desk.open()
    early = tickets.answer(desk.conn, ticket.id, desk.tap("dispatcher"), "您好", desk.clock.now())
    with pytest.raises(NotTheOwner):
        await early  # nobody has taken it yet
    await tickets.take(desk.conn, ticket.id, desk.town.accounts["dispatcher"])
    manager, now = desk.tap("manager"), desk.clock.now()
    for attempt in _by_somebody_else(desk, ticket.id, manager, now):
        with pytest.raises(NotTheOwner):
            await attempt
    assert await desk.count("work_order") == 0
    answered_at, tap = desk.clock.advance(HOUR), desk.tap("dispatcher")
    for _ in range(2):
        await tickets.answer(desk.conn, ticket.id, tap, "师傅下午到", answered_at)
    await tickets.answer(desk.conn, ticket.id, desk.tap("dispatcher"), "已到", desk.clock.advance(HOUR))
    assert (await desk.read(ticket.number)).answered_at == answered_at
    said = await store.entries(desk.conn, ticket.id)
    assert [(each.text, each.role) for each in said] == [
        ("师傅下午到", "dispatcher"),
        ("已到", "dispatcher"),
    ]


def _by_somebody_else(desk: Desk, ticket_id: int, tap: By, now: datetime) -> list[Awaitable[object]]:
    return [
        tickets.answer(desk.conn, ticket_id, tap, "我来", now),
        tickets.open_work(desk.conn, ticket_id, tap, desk.order(), "我来", now),
        tickets.close(desk.conn, ticket_id, tap, "我来", now),
    ]


async def test_work_opened_for_a_request_is_an_order_and_a_word(desk: Desk) -> None:
    ticket, tap = await desk.taken(), desk.tap("dispatcher")
    async with desk.conn.transaction():
        order_id = await tickets.open_work(
            desk.conn, ticket.id, tap, desk.order(), "已派师傅", desk.clock.now()
        )
    [entry] = await store.entries(desk.conn, ticket.id)
    assert (entry.text, entry.order_status) == ("已派师傅", "open")
    cursor = await desk.conn.execute("SELECT number, opened_by FROM work_order WHERE id = %s", [order_id])
    assert await cursor.fetchone() == (entry.order_number, desk.town.accounts["dispatcher"])
    assert (await desk.read(ticket.number)).answered_at == desk.clock.now()


async def test_work_is_opened_in_the_community_that_asked(desk: Desk) -> None:
    ticket = await desk.taken("administrator")
    tap = desk.tap("administrator")
    with pytest.raises(BadField):
        async with desk.conn.transaction():
            await tickets.open_work(
                desk.conn, ticket.id, tap, desk.order("L9", "far"), "派单", desk.clock.now()
            )
    assert await desk.count("work_order") == 0
    assert (await desk.read(ticket.number)).answered_at is None


async def test_a_closed_request_is_history(desk: Desk) -> None:
    ticket, now = await desk.closed(), desk.clock.now()
    assert ticket.closed_at == now
    for attempt in (
        tickets.answer(desk.conn, ticket.id, desk.tap("dispatcher"), "还有", now),
        tickets.add_word(desk.conn, ticket.id, desk.tap("ann"), "还有", now),
        tickets.close(desk.conn, ticket.id, desk.tap("dispatcher"), "还有", now),
        tickets.open_work(desk.conn, ticket.id, desk.tap("dispatcher"), desk.order(), "还有", now),
    ):
        with pytest.raises(AlreadyClosed):
            await attempt
    assert [each.text for each in await store.entries(desk.conn, ticket.id)] == ["已修好"]
    assert await store.waiting(desk.conn, [ticket.community_id]) == []
    assert await store.closed_lately(desk.conn, [ticket.community_id]) == [ticket]


async def test_a_word_and_the_closing_never_cross(desk: Desk, pool: AsyncConnectionPool) -> None:
    ticket, now = await desk.taken(), desk.clock.now()

    async def word() -> None:
        async with pool.connection() as conn:
            await tickets.add_word(conn, ticket.id, desk.tap("ann"), "还有一处", now)

    async with desk.conn.transaction():
        await tickets.close(desk.conn, ticket.id, desk.tap("dispatcher"), "已修好", now)
        waiting = asyncio.create_task(word())
        # Not pg_stat_activity: within a transaction it stays as it was first read.
        blocked = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        while await (await desk.conn.execute(blocked)).fetchone() is None:
            pass
    with pytest.raises(AlreadyClosed):
        await waiting


async def test_satisfaction_is_given_once_after_closing_by_whoever_asked(desk: Desk) -> None:
    ann, bob = desk.town.parties["ann"], desk.town.parties["bob"]
    with pytest.raises(NotToRate):
        await tickets.rate(desk.conn, (await desk.taken()).id, ann, 5)
    ticket = await desk.closed()
    for wrong in (0, 6, -1):
        with pytest.raises(tickets.NoSuchRating):
            await tickets.rate(desk.conn, ticket.id, ann, wrong)
    with pytest.raises(NotToRate):
        await tickets.rate(desk.conn, ticket.id, bob, 1)
    await tickets.rate(desk.conn, ticket.id, ann, 4)
    with pytest.raises(NotToRate):
        await tickets.rate(desk.conn, ticket.id, ann, 1)
    assert (await desk.read(ticket.number)).satisfaction == 4


async def test_a_request_is_read_by_its_party_and_its_desk_only(desk: Desk) -> None:
    number, town = (await desk.open()).number, desk.town
    for found, parties in (
        (True, {"party_id": town.parties["ann"]}),
        (False, {"party_id": town.parties["bob"]}),
        (True, {"community_ids": (town.communities["home"],)}),
        (False, {"community_ids": (town.communities["far"],)}),
        (False, {}),
    ):
        assert (await store.ticket(desk.conn, number, **parties) is not None) is found


async def test_the_unanswered_come_first_by_deadline(desk: Desk) -> None:
    answered = await desk.taken()
    await tickets.answer(desk.conn, answered.id, desk.tap("dispatcher"), "您好", desk.clock.now())
    desk.clock.advance(-HOUR)
    older = await desk.open()
    desk.clock.advance(HOUR * 3)
    newer = await desk.open()
    home, far = desk.town.communities["home"], desk.town.communities["far"]
    numbers = [each.number for each in await store.waiting(desk.conn, [home])]
    assert numbers == [older.number, newer.number, answered.number]
    assert await store.waiting(desk.conn, [far]) == []


async def test_the_schema_holds_what_was_promised(desk: Desk) -> None:
    ticket = await desk.open()
    for change in ("answered_at = opened_at", "closed_at = opened_at", "satisfaction = 5", "line = 1"):
        with pytest.raises(CheckViolation):
            await desk.conn.execute(f"UPDATE ticket SET {change} WHERE id = {ticket.id}".encode())  # noqa: S608
