"""Any sequence of taps: the order goes only where the table of moves says, and its story is unbroken."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg import AsyncConnection

from dispatch import moves
from dispatch.checklist import CheckAnswer
from dispatch.people import By
from dispatch.records import Completion, complete
from dispatch.refusals import BadField, DispatchRefusal, IllegalMove, NoSuchOrder, NotYours, OfferGone
from dispatch.status import HELD, LIVE, MOVES, NEXT_MOVES, STATUS_LABELS, STATUSES, Status, allowed
from dispatch.sweep import sweep
from storage.pool import in_utc
from tests.integration.dispatch_world import MINUTE, MORNING, World, add_order, add_technician, build

DONE = Completion(
    answers=(CheckAnswer(code="door_gap_mm", value=2), CheckAnswer(code="levelling", value=True)),
    labour_minutes=5,
)
PEOPLE = ("li", "wang")
Move = Callable[[AsyncConnection, int, By, datetime], Awaitable[object]]
BY_TECHNICIAN: dict[str, Move] = {
    "accept": moves.accept,
    "decline": lambda c, o, by, now: moves.decline(c, o, by, now, "busy"),
    "set_off": moves.set_off,
    "arrive": moves.arrive,
    "hold": lambda c, o, by, now: moves.hold(c, o, by, now, "waiting_for_parts"),
    "hold_running": lambda c, o, by, now: moves.hold(c, o, by, now, "end_of_shift", "明早继续"),
    "resume": moves.resume,
    "progress": lambda c, o, by, now: moves.progress(c, o, by, now, "快好了"),
    "hand_back": lambda c, o, by, now: moves.hand_back(c, o, by, now, "no_tools"),
    "complete": lambda c, o, by, now: complete(c, o, by, DONE, now),
}
BY_OFFICE: dict[str, Move] = {
    "withdraw": lambda c, o, by, now: moves.withdraw(c, o, by, now, "另有安排"),
    "cancel": lambda c, o, by, now: moves.cancel(c, o, by, now, "重复"),
    "verify": moves.verify,
    "close": moves.close,
    "reopen": lambda c, o, by, now: moves.reopen(c, o, by, now, "没修好"),
    "note": lambda c, o, by, now: moves.note(c, o, by, now, "业主来电"),
}


class Life(RuleBasedStateMachine):
    """One order on the real database, moved at random."""

    url = ""
    runner: asyncio.Runner
    conn: AsyncConnection
    world: World

    @initialize(severity=st.sampled_from(["critical", "minor"]))
    def open_an_order(self, severity: str) -> None:
        self.now = MORNING
        assert severity in ("critical", "minor")
        self.order = self.runner.run(
            add_order(self.conn, self.world, severity="critical" if severity == "critical" else "minor")
        )

    def tap(self, move: Move, by: By) -> None:
        async def act() -> DispatchRefusal | None:
            async with self.conn.transaction():
                try:
                    await move(self.conn, self.order, by, self.now)
                except (IllegalMove, NotYours, OfferGone, BadField) as refused:
                    return refused
            return None

        said = self.runner.run(act())
        assert said is None or (said.text.zh and said.text.en)

    def teardown(self) -> None:
        """Leave nobody with an order in hand for the next example."""
        if hasattr(self, "order"):
            self.tap(BY_OFFICE["cancel"], self.world.office)

    @rule(name=st.sampled_from(sorted(BY_TECHNICIAN)), who=st.sampled_from(PEOPLE))
    def technician_taps(self, name: str, who: str) -> None:
        self.tap(BY_TECHNICIAN[name], self.world.by(who))

    @rule(name=st.sampled_from(sorted(BY_OFFICE)))
    def office_taps(self, name: str) -> None:
        self.tap(BY_OFFICE[name], self.world.office)

    @rule(who=st.sampled_from(PEOPLE))
    def office_assigns(self, who: str) -> None:
        staff = self.world.technicians[who]
        self.tap(lambda c, o, by, now: moves.assign(c, o, staff, by, now), self.world.office)

    @rule(minutes=st.sampled_from([0, 1, 5, 40, 600]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

        async def act() -> None:
            async with self.conn.transaction():
                await sweep(self.conn, self.now)

        self.runner.run(act())

    @rule()
    def go_on(self) -> None:
        """Take the next step that makes sense, so that the far statuses are reached, too."""
        status, assignee, offered = self.runner.run(self.state())
        if status in NEXT_MOVES:
            holder = assignee or offered
            who = next((code for code, staff in self.world.technicians.items() if staff == holder), "li")
            self.tap(BY_TECHNICIAN[NEXT_MOVES[status][0]], self.world.by(who))

    async def state(self) -> tuple[Status, int | None, int | None]:
        cursor = await self.conn.execute(
            "SELECT o.status, o.assignee_id, (SELECT staff_id FROM offer WHERE order_id = o.id"
            " AND status = 'offered' ORDER BY id LIMIT 1) FROM work_order AS o WHERE o.id = %s",
            (self.order,),
        )
        row = await cursor.fetchone()
        assert row is not None
        status, assignee, offered = row
        assert status in STATUSES
        return status, assignee, offered

    @invariant()
    def the_story_is_unbroken_and_legal(self) -> None:
        async def moves_of() -> list[tuple[Status, Status]]:
            cursor = await self.conn.execute(
                "SELECT from_status, to_status FROM order_move WHERE order_id = %s ORDER BY id", (self.order,)
            )
            return await cursor.fetchall()

        if not hasattr(self, "order"):
            return
        told = self.runner.run(moves_of())
        at: Status = "open"
        for before, after in told:
            assert before == at
            assert before == after or allowed(before, after)
            at = after
        status, assignee, offered = self.runner.run(self.state())
        assert at == status
        assert (offered is not None) == (status == "assigned")
        assert status not in HELD or assignee is not None

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        async def due() -> tuple[Status, datetime | None]:
            cursor = await self.conn.execute(
                "SELECT status, due_at FROM work_order WHERE id = %s", (self.order,)
            )
            row = await cursor.fetchone()
            assert row is not None
            status, due_at = row
            return status, due_at

        if hasattr(self, "order"):
            status, due_at = self.runner.run(due())
            assert (due_at is not None) == (status in LIVE | {"completed", "verified"})


def test_any_sequence_of_taps(database_url: str) -> None:
    with asyncio.Runner() as runner:
        conn = runner.run(AsyncConnection.connect(in_utc(database_url), autocommit=True))
        try:
            world = runner.run(build(conn))
            for code in PEOPLE:
                runner.run(add_technician(conn, world, code))

            class Here(Life):
                pass

            Here.runner, Here.conn, Here.world = runner, conn, world
            run_state_machine_as_test(
                Here,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(conn.close())


def test_the_table_knows_every_status() -> None:
    assert set(MOVES) == set(STATUS_LABELS) == set(STATUSES)
    assert LIVE.isdisjoint({"completed", "verified", "closed", "cancelled", "merged"})


async def test_merging(conn: AsyncConnection) -> None:
    world = await build(conn)
    kept, gone, over = [await add_order(conn, world) for _ in range(3)]
    await moves.cancel(conn, over, world.office, MORNING, "重复")
    for wrong in (gone, over):
        with pytest.raises(BadField, match="another order that is not over"):
            await moves.merge(conn, gone, wrong, world.office, MORNING)
    await moves.merge(conn, gone, kept, world.office, MORNING, "同一故障")
    cursor = await conn.execute("SELECT status, merged_into, due_at FROM work_order WHERE id = %s", (gone,))
    assert await cursor.fetchone() == ("merged", kept, None)
    with pytest.raises(NoSuchOrder):
        await moves.accept(conn, 999_999, By(staff_id=1), MORNING)
