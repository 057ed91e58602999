"""One batch, one transaction: what is taken, what is refused, and what a repeat changes (nothing)."""

import base64
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from psycopg import AsyncConnection, DataError, InterfaceError, errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from billing.kiosk import PaymentTakenMeanwhile
from clerestory.batch import Outcome
from clerestory.ingest import Ingest, UnknownLetter, is_worth_another_try
from config.profiles import load_profiles
from gateway import store
from gateway.registry import Registry
from rules.versions.living import Rules
from storage import telemetry
from tests.integration.gateway_world import WINDOW, count, entrapment, make_ingest, make_world, one, said, up
from tests.manual_clock import START, ManualClock


@pytest.fixture
def ingest(pool: AsyncConnectionPool, clock: ManualClock) -> Ingest:
    return make_ingest(pool, clock)


def reasons(outcomes: Sequence[Outcome]) -> list[str | None]:
    return [None if outcome is None else outcome.reason for outcome in outcomes]


async def readings(conn: AsyncConnection) -> list[tuple[str, str, float]]:
    cursor = await conn.execute(
        "SELECT device.code, signal.name, reading.value FROM reading"
        " JOIN device ON device.id = device_id JOIN signal ON signal.id = signal_id ORDER BY ts, 1, 2"
    )
    return await cursor.fetchall()


async def test_readings_events_and_status_are_stored(conn: AsyncConnection, ingest: Ingest) -> None:
    world = await make_world(conn)
    event = {"v": 1, "ts": START.isoformat(), "events": [{"code": "door_close_fault", "detail": "门"}]}
    outcomes = await ingest.take(
        [
            up("bin-1", fill_percent=50, battery_percent=80),
            said("clerestory/court/lift-1/up", json.dumps(event)),
            said("clerestory/court/bin-2/status", "offline"),
        ]
    )
    assert reasons(outcomes) == [None, None, None]
    assert await readings(conn) == [("bin-1", "battery_percent", 80.0), ("bin-1", "fill_percent", 50.0)]
    stored = await (await conn.execute("SELECT device_id, code, ts, detail FROM event")).fetchall()
    assert stored == [(world.devices["lift-1"], "door_close_fault", START, "门")]
    online = "SELECT online FROM device_state WHERE device_id = %(id)s"
    assert await one(conn, online, {"id": world.devices["bin-2"]}) is False


async def test_the_same_message_again_changes_nothing(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn)
    batch = [up("bin-1", fill_percent=99), said("clerestory/court/nobody/up", "{}")]
    first = await ingest.take(batch)
    before = [
        await count(conn, table) for table in ("reading", "event", "alarm", "work_order", "dead_letter")
    ]
    assert reasons(await ingest.take([*batch, *batch])) == reasons(first) * 2
    after = [await count(conn, table) for table in ("reading", "event", "alarm", "work_order", "dead_letter")]
    assert after == before


async def test_a_memory_that_was_deleted_begins_anew(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn)
    for minute in range(5):
        await conn.execute("DELETE FROM device_state")
        heard = [up(code, START + timedelta(minutes=minute), fill_percent=50) for code in ("bin-1", "bin-2")]
        assert reasons(await ingest.take(heard)) == [None, None]
    assert await count(conn, "reading") == 10
    assert await count(conn, "device_state") == 2
    assert await count(conn, "dead_letter") == 0


async def test_no_batch_costs_a_multixact(
    conn: AsyncConnection, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hundred batches a second would have every table vacuumed against their wraparound."""
    monkeypatch.setattr(telemetry, "MANY_ROWS", 1)
    await make_world(conn)
    used = []
    for batch in range(3):
        await ingest.take([up("bin-1", START + timedelta(minutes=batch), fill_percent=50 + batch)])
        await conn.execute("CHECKPOINT")
        used.append(await one(conn, "SELECT next_multixact_id::text FROM pg_control_checkpoint()"))
    assert used[0] == used[-1]


async def test_a_lorawan_uplink_becomes_fill(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn)
    body = {
        "deviceInfo": {"devEui": "1000000000000001"},
        "time": START.isoformat(),
        "data": base64.b64encode(bytes.fromhex("0382dc05")).decode(),
    }
    topic = "application/1/device/1000000000000001/event/up"
    assert reasons(await ingest.take([said(topic, json.dumps(body))])) == [None]
    assert await readings(conn) == [("lora-1", "distance_mm", 1500.0), ("lora-1", "fill_percent", 50.0)]


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "named"),
    [
        ("clerestory/court/bin-1", b"{}", "bad_topic", "clerestory/court/bin-1"),
        (f"clerestory/court/{'院' * 100}/up", b"{}", "bad_topic", "300 bytes"),
        ("clerestory/nowhere/bin-1/up", b"{}", "unknown_community", "nowhere"),
        ("clerestory/court/bin-9/up", b"{}", "unknown_device", "bin-9"),
        ("clerestory/tower/bin-1/up", b"{}", "foreign_community", "court"),
        ("clerestory/court/bin-1/pay", b"{}", "not_a_kiosk", "bin-native"),
        ("clerestory/court/bin-1/ask", b"{}", "not_a_kiosk", "bin-native"),
        ("clerestory/court/kiosk-1/up", b"{}", "unknown_signal", "kiosk-1"),
        ("clerestory/court/bin-1/status", b"sleepy", "bad_type", "online or offline"),
        ("clerestory/court/bin-1/up", b" " * 65_537, "too_large", "65536"),
        ("v3/app@ttn/devices/x/up", b"{}", "missing_field", "end_device_ids"),
    ],
)
async def test_a_refusal_is_a_dead_letter_with_its_reason(
    conn: AsyncConnection, ingest: Ingest, topic: str, payload: bytes, reason: str, named: str
) -> None:
    await make_world(conn)
    await conn.execute(
        "INSERT INTO community (code, name_zh, name_en, timezone) VALUES ('tower', '楼', 'Tower', 'UTC')"
    )
    assert reasons(await ingest.take([said(topic, payload)])) == [reason]
    [letter] = await store.letters(conn, resolved=False, reason=None, topic=None, limit=9)
    assert (letter.topic, letter.payload, letter.reason) == (topic, payload, reason)
    assert named in letter.detail
    assert letter.received_at == START


async def test_a_larger_payload_keeps_its_beginning(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn)
    outcomes = await ingest.take([said("clerestory/court/bin-1/up", b"x" * 65_537)])
    assert reasons(outcomes) == ["too_large"]
    letter_id = await one(conn, "SELECT id FROM dead_letter")
    again = await ingest.retry(letter_id)
    assert again is not None
    assert again.reason == "too_large"


async def test_a_retired_device_is_not_heard_from_the_next_batch_on(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    await make_world(conn)
    assert reasons(await ingest.take([up("bin-1", fill_percent=1)])) == [None]
    await conn.execute("UPDATE device SET retired_at = %(now)s WHERE code = 'bin-1'", {"now": START})
    later = START + timedelta(minutes=1)
    assert reasons(await ingest.take([up("bin-1", later, fill_percent=2)])) == ["retired_device"]


async def test_a_changed_attribute_counts_from_the_next_batch_on(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    await make_world(conn)
    await ingest.take([up("bin-1", distance_mm=1500)])
    await conn.execute("UPDATE asset SET attributes = attributes || '{\"empty_distance_mm\": 4500}'")
    await ingest.take([up("bin-1", START + timedelta(seconds=1), distance_mm=1500)])
    fills = [value for _, signal, value in await readings(conn) if signal == "fill_percent"]
    assert fills == [50.0, 75.0]


async def test_an_unknown_device_is_found_as_soon_as_it_was_added(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    world = await make_world(conn)
    late = up("bin-late", fill_percent=7)
    assert reasons(await ingest.take([late])) == ["unknown_device"]
    await conn.execute(
        "INSERT INTO device (community_id, asset_id, code, profile)"
        " SELECT community_id, asset_id, 'bin-late', profile FROM device WHERE id = %(id)s",
        {"id": world.devices["bin-1"]},
    )
    letter_id = await one(conn, "SELECT id FROM dead_letter WHERE resolved_at IS NULL")
    assert await ingest.retry(letter_id) is None
    assert await readings(conn) == [("bin-late", "fill_percent", 7.0)]
    assert await one(conn, "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL") == 0
    assert reasons(await ingest.take([late])) == [None]


async def test_a_retry_in_vain_keeps_the_new_reason(
    conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    await ingest.take([up("bin-1", START + timedelta(minutes=6), fill_percent=101)])
    [letter] = await store.letters(conn, resolved=False, reason=None, topic=None, limit=9)
    assert letter.reason == "ts_ahead"
    clock.advance(timedelta(minutes=10))
    again = await ingest.retry(letter.id)
    assert again is not None
    assert again.reason == "out_of_range"
    [letter] = await store.letters(conn, resolved=False, reason=None, topic=None, limit=9)
    assert letter.reason == "out_of_range"
    assert letter.received_at == clock.now()


async def test_a_dead_letter_that_is_not_there(ingest: Ingest) -> None:
    with pytest.raises(UnknownLetter, match="no dead letter 99"):
        await ingest.retry(99)


async def test_what_the_database_refuses_is_set_aside_alone(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn, bins=20)
    await conn.execute("ALTER TABLE reading ADD CHECK (value <> 13)")
    batch = [up(f"bin-{number}", fill_percent=number) for number in range(1, 21)]
    outcomes = await ingest.take(batch)
    assert [place for place, outcome in enumerate(outcomes) if outcome is not None] == [12]
    [letter] = await store.letters(conn, resolved=False, reason=None, topic=None, limit=9)
    assert letter.reason == "refused_by_database"
    assert "23514" in letter.detail
    assert letter.topic == "clerestory/court/bin-13/up"
    assert await count(conn, "reading") == 19


async def test_a_fault_of_ours_sets_aside_only_what_meets_it(
    conn: AsyncConnection, ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    await make_world(conn)
    await conn.execute("ALTER TABLE event RENAME TO mislaid")
    outcomes = await ingest.take([entrapment("lift-1"), up("bin-1", fill_percent=5)])
    assert reasons(outcomes) == ["our_fault", None]
    assert await count(conn, "reading") == 1
    [record] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.exc_info is not None
    assert record.exc_info[0] is errors.UndefinedTable
    [letter] = await store.letters(conn, resolved=False, reason="our_fault", topic=None, limit=9)
    await conn.execute("ALTER TABLE mislaid RENAME TO event")
    assert await ingest.retry(letter.id) is None
    assert await count(conn, "event") == 1


async def test_a_flood_of_unknown_names_is_soon_forgotten(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    await make_world(conn)
    registry = Registry(load_profiles())
    ingest = Ingest(pool, registry, Rules(), WINDOW, clock)
    for flood in range(3):
        batch = [said(f"clerestory/court/flood-{flood}-{number}/up", "{}") for number in range(1_100)]
        assert set(reasons(await ingest.take([up("bin-1", fill_percent=5), *batch]))) == {
            None,
            "unknown_device",
        }
    bin_1 = ("court", "bin-1")
    assert registry.remembers == 1_101
    assert registry.missing([bin_1, ("court", "flood-0-1")]) == {("court", "flood-0-1")}


async def test_what_only_the_commit_would_refuse_is_set_aside_alone(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    await make_world(conn, bins=5)
    await conn.execute(
        """
        CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.online = false THEN RAISE EXCEPTION 'a promise is broken'; END IF;
            RETURN NEW;
        END $$;
        CREATE CONSTRAINT TRIGGER broken AFTER UPDATE ON device_state
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION broken()
        """
    )
    batch = [up(f"bin-{number}", fill_percent=number) for number in range(1, 5)]
    batch.insert(2, said("clerestory/court/bin-5/status", "offline"))
    outcomes = await ingest.take(batch)
    assert reasons(outcomes) == [None, None, "our_fault", None, None]
    assert await count(conn, "reading") == 4


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (errors.DeadlockDetected(), True),
        (errors.AdminShutdown(), True),
        (InterfaceError("the connection is closed"), True),
        (PoolTimeout("couldn't get a connection"), True),
        (PaymentTakenMeanwhile("wechat", "T1"), True),
        (DataError("integer out of range"), False),
        (errors.CheckViolation(), False),
        (errors.ProgramLimitExceeded(), False),
        (errors.RaiseException(), False),
        (KeyError("floor"), False),
    ],
)
def test_what_is_worth_another_try(error: Exception, *, again: bool) -> None:
    assert is_worth_another_try(error) is again


async def test_what_we_fail_at_reading_is_set_aside_alone(
    conn: AsyncConnection, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("int too large\0")

    await make_world(conn)
    # Else the broker would send it again for ever, and nobody would be heard any more.
    monkeypatch.setattr("gateway.envelopes.kiosk.ask", fail)
    batch = [said("clerestory/court/kiosk-1/ask", "{}"), up("bin-1", fill_percent=5)]
    assert reasons(await ingest.take(batch)) == ["our_fault", None]
    [letter] = await store.letters(conn, resolved=False, reason=None, topic=None, limit=9)
    assert letter.detail == "OverflowError: int too large\\x00"
    assert await count(conn, "reading") == 1


async def test_signals_keep_their_numbers_when_the_first_batch_fails(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    await make_world(conn)
    await conn.execute(
        """
        CREATE FUNCTION unwell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER unwell BEFORE UPDATE ON device_state FOR EACH ROW EXECUTE FUNCTION unwell()
        """
    )
    with pytest.raises(errors.DiskFull, match="disk full"):
        await ingest.take([up("bin-1", fill_percent=41)])
    assert await count(conn, "reading") == 0
    await conn.execute("DROP TRIGGER unwell ON device_state")
    assert await ingest.take([up("bin-1", fill_percent=41)]) == [None]
    name = await one(conn, "SELECT signal.name FROM reading JOIN signal ON signal.id = reading.signal_id")
    assert name == "fill_percent"
