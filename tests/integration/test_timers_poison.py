"""A device that we fail at, be it one finding or one memory, keeps no other from its timers."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.seeing.heartbeat import figures
from clerestory.site import Site
from clerestory.timers import Timers
from config.settings import Settings
from gateway.signals import Device
from rules.apply import SETBACK, hear, next_due, wake
from rules.book import RuleBook, load_rulebook
from rules.changes import AlarmChange
from tests.integration.gateway_world import one
from tests.integration.test_rules_apply import fill, install, minutes, rows
from tests.manual_clock import ManualClock

DAY = timedelta(days=1)
OVERFLOW = "SELECT count(*) FROM alarm WHERE rule = 'bin_overflow' AND device_id = %(id)s"


@pytest.fixture
def book() -> RuleBook:
    return load_rulebook()


@pytest.fixture
async def bins(conn: AsyncConnection, book: RuleBook) -> list[Device]:
    """Seven full bins, whose timers run out at minute five."""
    devices = [await install(conn, f"bin-{number}") for number in range(7)]
    await hear(conn, [fill(device, 95, 0) for device in devices], book)
    return devices


async def poison(conn: AsyncConnection, device: Device) -> None:
    """No alarm of this device can be stored."""
    await conn.execute(
        """
        CREATE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.device_id = (SELECT device_id FROM poison) THEN
                RAISE EXCEPTION 'no alarm of this' USING ERRCODE = '22P05';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TABLE poison (device_id int)
        """
    )
    await conn.execute("INSERT INTO poison VALUES (%s)", (device.device_id,))
    await conn.execute(
        "CREATE TRIGGER poisoned BEFORE INSERT ON alarm FOR EACH ROW EXECUTE FUNCTION poisoned()"
    )


async def raised(conn: AsyncConnection, bins: Sequence[Device]) -> list[int]:
    return [await one(conn, OVERFLOW, {"id": device.device_id}) for device in bins]


async def test_a_finding_that_cannot_be_stored_is_put_off_and_all_others_are_raised(
    conn: AsyncConnection, bins: list[Device], book: RuleBook, caplog: pytest.LogCaptureFixture
) -> None:
    await poison(conn, bins[3])
    before = await one(
        conn, "SELECT state::text FROM device_state WHERE device_id = %(id)s", {"id": bins[3].device_id}
    )
    woken = await wake(conn, minutes(5), book)
    assert [each.device_id for each in woken.changes] == [
        each.device_id for each in bins if each is not bins[3]
    ]
    assert await raised(conn, bins) == [1, 1, 1, 0, 1, 1, 1]
    [at_fault] = woken.at_fault
    assert at_fault.device.code == "bin-3"
    assert "no alarm of this" in at_fault.why
    [record] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "bund/bin-3" in record.getMessage()
    assert record.exc_info is not None
    # Nothing of it is kept but that it waits, and it does not stall: the next time is its own.
    state, due = (
        await rows(
            conn,
            "device_state",
            "state::text, next_due, device_id = (SELECT device_id FROM poison)",
            "3 DESC",
        )
    )[0][:2]
    assert (state, due) == (before, minutes(5) + SETBACK)
    assert (await wake(conn, minutes(5), book)).at_fault == []
    await conn.execute("DELETE FROM poison")
    assert (await wake(conn, minutes(5) + SETBACK, book)).at_fault == []
    assert await raised(conn, bins) == [1] * 7


async def test_a_memory_that_we_cannot_step_stops_no_other(
    conn: AsyncConnection, bins: list[Device], book: RuleBook, caplog: pytest.LogCaptureFixture
) -> None:
    await conn.execute(
        "UPDATE device_state SET state = '[\"nonsense\"]' WHERE device_id = ANY(%s)",
        ([bins[0].device_id, bins[6].device_id],),
    )
    woken = await wake(conn, minutes(5), book)
    assert sorted(each.device.code for each in woken.at_fault) == ["bin-0", "bin-6"]
    logged = [each for each in caplog.records if each.levelname == "ERROR"]
    assert [bool(each.exc_info) for each in logged] == [True, False], "one traceback tells the fault"
    assert await raised(conn, bins) == [0, 1, 1, 1, 1, 1, 0]
    assert await next_due(conn) == minutes(5) + SETBACK


async def test_what_follows_from_a_finding_fails_with_it_alone(
    conn: AsyncConnection, bins: list[Device], book: RuleBook
) -> None:
    """The alarm of which nobody can be told is not kept either: it is found again, and told then."""

    async def act(changes: Sequence[AlarmChange]) -> None:
        await conn.execute("CREATE TABLE IF NOT EXISTS told (device_id int)")
        for change in changes:
            await conn.execute("INSERT INTO told VALUES (%s)", (change.device_id,))
        if any(change.device_id == bins[1].device_id for change in changes):
            raise LookupError("our mistake")

    woken = await wake(conn, minutes(5), book, act)
    assert [(each.device.code, each.why) for each in woken.at_fault] == [
        ("bin-1", "LookupError: our mistake")
    ]
    others = [device.device_id for device in bins if device is not bins[1]]
    assert [row[0] for row in await rows(conn, "told", "device_id")] == others
    assert await raised(conn, bins) == [1, 0, 1, 1, 1, 1, 1]


async def test_a_database_that_is_away_puts_nobody_off(
    conn: AsyncConnection, bins: list[Device], book: RuleBook
) -> None:
    async def act(changes: Sequence[AlarmChange]) -> None:
        raise TimeoutError(f"{len(changes)} told in vain")

    with pytest.raises(TimeoutError, match="7 told"):
        await wake(conn, minutes(5), book, act)
    assert await next_due(conn) == minutes(5)
    assert await raised(conn, bins) == [0] * 7


async def test_the_operations_page_hears_of_it_until_it_works_again(
    conn: AsyncConnection, pool: AsyncConnectionPool, database_url: str, bins: list[Device]
) -> None:
    await poison(conn, bins[2])
    clock = ManualClock(minutes(5))
    site = Site(Settings(), clock, pool, database_url, "")
    timers = Timers(site)
    assert await timers.step() == minutes(5) + SETBACK
    assert await raised(conn, bins) == [1, 1, 0, 1, 1, 1, 1]
    assert await one(conn, "SELECT count(*) FROM work_order") == 6
    said = figures(site.watch, {}, 0.0, 0.0)["timers"]
    assert (said["failing"], list(said["some"])) == (1, ["bund/bin-2"])
    clock.set(minutes(5) + SETBACK)
    await timers.step()
    assert list(timers.failing()) == ["bund/bin-2"]
    await conn.execute("DELETE FROM poison")
    clock.set(minutes(5) + 2 * SETBACK)
    await timers.step()
    assert await raised(conn, bins) == [1] * 7
    clock.set(minutes(6) + 3 * SETBACK)
    assert timers.failing() == {}
    assert "timers" not in figures(site.watch, {}, 0.0, 0.0)


@pytest.mark.parametrize("fails", [False, True])
async def test_who_has_left_is_settled_before_its_timers_run(
    conn: AsyncConnection, pool: AsyncConnectionPool, database_url: str, bins: list[Device], *, fails: bool
) -> None:
    """Retired by a statement, and with an asset whose day has come: neither is taken for silent.

    One of them that cannot be settled is put off, and keeps no other from anything.
    """
    clock = ManualClock(minutes(5))
    timers = Timers(Site(Settings(), clock, pool, database_url, ""))
    await timers.step()
    assert await raised(conn, bins) == [1] * 7
    await conn.execute("UPDATE device SET retired_at = %s WHERE id = %s", (minutes(6), bins[0].device_id))
    await conn.execute("UPDATE asset SET retired_on = %s WHERE id = %s", (minutes(0) + DAY, bins[1].asset_id))
    if fails:
        await poison(conn, bins[0])
        await conn.execute(
            "CREATE TRIGGER poisoned_end BEFORE UPDATE ON alarm FOR EACH ROW EXECUTE FUNCTION poisoned()"
        )
    clock.set(minutes(5) + 9 * DAY)
    await timers.step()
    live = "SELECT device_id, rule FROM alarm WHERE cleared_at IS NULL ORDER BY device_id, rule"
    found = await (await conn.execute(live)).fetchall()
    left = [bins[0].device_id] if fails else []
    assert [device for device, rule in found if rule == "bin_overflow"] == [
        *left, *(each.device_id for each in bins[2:]),
    ]  # fmt: skip
    silent = {device for device, rule in found if rule != "bin_overflow"}
    assert silent == {each.device_id for each in bins[2:]}
    why = (
        "SELECT o.status, m.why_en FROM work_order o JOIN order_move m ON m.order_id = o.id"
        " JOIN alarm a ON a.id = o.alarm_id WHERE a.device_id = %s ORDER BY m.id DESC LIMIT 1"
    )
    cancelled = {
        each.code: await (await conn.execute(why, (each.device_id,))).fetchone() for each in bins[:2]
    }
    assert cancelled["bin-1"] == ("cancelled", "the asset was retired")
    assert list(timers.failing()) == (["bund/bin-0"] if fails else [])
    if fails:
        assert (
            await one(
                conn, "SELECT next_due FROM device_state WHERE device_id = %(id)s", {"id": bins[0].device_id}
            )
            == clock.now() + SETBACK
        )
        await conn.execute("DELETE FROM poison")
        clock.set(clock.now() + SETBACK)
        await timers.step()
        cancelled["bin-0"] = await (await conn.execute(why, (bins[0].device_id,))).fetchone()
    assert cancelled["bin-0"] == ("cancelled", "its device was retired")
