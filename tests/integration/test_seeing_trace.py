"""One id from a message to its order: on the alarm, in the order's story, in log lines, by command."""

import asyncio
import json
import logging
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory import tracing
from clerestory.cli import main
from clerestory.site import Site
from clerestory.timers import Timers
from config.settings import Settings
from dispatch.store.story import story
from gateway.deadletters import DeadLetter
from tests.integration.gateway_world import make_ingest, make_world, one, said, up
from tests.manual_clock import START, ManualClock


def trapped(detail: str) -> str:
    body = {"v": 1, "ts": START.isoformat(), "events": [{"code": "passenger_entrapment", "detail": detail}]}
    return json.dumps(body)


async def called(run: CliRunner, *arguments: str) -> Result:
    return await asyncio.to_thread(run.invoke, main, ["trace", *arguments], catch_exceptions=False)


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return CliRunner()


async def test_one_id_leads_from_the_message_to_the_order(
    conn: AsyncConnection,
    pool: AsyncConnectionPool,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    run: CliRunner,
) -> None:
    caplog.set_level(logging.INFO)
    await make_world(conn)
    topic, payload = "clerestory/court/lift-1/up", trapped("car 2")
    ident = sha256(f"{topic}\0{payload}".encode()).hexdigest()[:16]
    await make_ingest(pool, clock).take([up("bin-1", fill_percent=5), said(topic, payload)])

    assert await one(conn, "SELECT trace FROM alarm") == ident
    lines = [line for line in caplog.records if getattr(line, "trace", None) == ident]
    assert any(getattr(line, "alarm", None) for line in lines)
    number = await one(conn, "SELECT number FROM work_order")
    assert any(getattr(line, "order", None) == number for line in lines)
    order_id = await one(conn, "SELECT id FROM work_order")
    assert any(ident in entry.detail.zh and ident in entry.detail.en for entry in await story(conn, order_id))

    for asked in (ident, ident[:8], number):
        told = (await called(run, asked)).output
        assert f"raised  {ident}" in told, "the alarm"
        assert f"paged  {ident}" in told, "people were told"
        assert f"order open  {ident}  {number}" in told or f"order noted  {ident}  {number}" in told


async def test_an_alarm_that_joined_an_order_leads_to_it(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock, run: CliRunner
) -> None:
    await make_world(conn)
    ingest = make_ingest(pool, clock)
    await ingest.take([said("clerestory/court/lift-1/up", trapped("first"))])
    [number, order_id] = await one(conn, "SELECT array[number, id::text] FROM work_order")
    joined = await one(
        conn,
        "INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,"
        " meaning_en, raised_at, recorded_at, trace)"
        " SELECT community_id, device_id, 'power_lost', 'major', '断电', 'Power lost', '断电', 'It is dark',"
        " raised_at, recorded_at, 'feedfacefeedface' FROM alarm RETURNING id",
    )
    await conn.execute(
        "INSERT INTO alarm_order (order_id, alarm_id, at, live) VALUES (%(order)s, %(alarm)s, now(), true)",
        {"order": int(order_id), "alarm": joined},
    )
    told = (await called(run, "feedface")).output
    assert "Power lost" in told
    assert number in told
    whole = (await called(run, number)).output
    assert "Power lost" in whole
    assert "entrapment" in whole


async def test_a_message_that_comes_again_keeps_its_id_and_makes_no_other(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    await make_world(conn)
    ingest = make_ingest(pool, clock)
    await ingest.take([said("clerestory/court/lift-1/up", trapped("first"))])
    before = await one(conn, "SELECT trace FROM alarm")
    await ingest.take([said("clerestory/court/lift-1/up", trapped("first"))])
    assert await one(conn, "SELECT array_agg(trace) FROM alarm") == [before]


async def test_a_refused_message_is_found_by_its_id(
    conn: AsyncConnection,
    pool: AsyncConnectionPool,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    run: CliRunner,
) -> None:
    await make_world(conn)
    await make_ingest(pool, clock).take([said("nonsense", "{}"), said("clerestory/court/bin-1/up", "no")])
    digest = await one(conn, "SELECT encode(digest, 'hex') FROM dead_letter WHERE topic = 'nonsense'")
    [line] = [line for line in caplog.records if getattr(line, "topic", "") == "nonsense"]
    assert getattr(line, "trace", "") == digest[:16]
    for asked in (digest[:6], digest[:7], digest[:16], digest):
        told = (await called(run, asked)).output
        assert "message refused" in told
        assert "bad_topic" in told


async def test_a_silence_has_an_id_of_its_own(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock, database_url: str
) -> None:
    await make_world(conn)
    await make_ingest(pool, clock).take([up("lift-1", START, door_closed=True)])
    clock.advance(timedelta(hours=1))
    site = Site(Settings(), clock, pool, database_url, "")
    await Timers(site).step()
    assert await one(conn, "SELECT count(*) FROM alarm") >= 1
    assert await one(conn, "SELECT count(*) FROM alarm WHERE trace !~ '^[0-9a-f]{16}$' OR trace IS NULL") == 0


@pytest.mark.parametrize(("asked", "code"), [("ffffffff", 1), ("2026-0000", 1), ("abc", 2), ("x' OR 1=1", 2)])
async def test_what_is_not_there_is_said(run: CliRunner, asked: str, code: int) -> None:
    answer = await called(run, asked)
    assert answer.exit_code == code
    assert "right would be" in answer.output if code == 2 else "nothing is kept of" in answer.output


def test_a_flood_of_refusals_is_summed_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [
        DeadLetter(START, f"topic/{number}", b"", "bad_topic", "no topic of ours")
        for number in range(tracing.MOST_LINES + 50)
    ]
    told = tracing.RefusalLog()
    told.tell(letters)
    assert len(caplog.records) == tracing.MOST_LINES
    monkeypatch.setattr(tracing, "WINDOW_SECONDS", 0.0)
    told.tell(letters[:1])
    assert "50 more messages were refused" in caplog.text
