"""What came late, twice or out of order, and who was gone, is in a replay as it was for gateway and worker.

Messages go through the gateway's ingest with the shipped rules; the worker looks at the moment of each timer.
"""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.ingest import Ingest
from config.vocabulary import load_vocabulary
from dispatch.alarms import follow
from dispatch.foreseeing import foresee
from dispatch.lookout import look_after
from dispatch.policy import shipped_policy
from gateway.delivery import Delivery
from rules.apply import next_due, wake
from rules.book import RuleBook, load_rulebook
from rules.moments import to_moment
from rules.replay.crew import Order, Report
from rules.replay.device import Alarm
from rules.replay.run import Part, run_part
from rules.replay.story import TODAY
from rules.sources import file_sources
from storage import telemetry
from storage.store import delete_events
from tests.integration.gateway_world import World, make_ingest, make_world
from tests.integration.test_replay_live import a_value, in_order
from tests.integration.test_replay_orders import orders_rehearsed, orders_there_were
from tests.manual_clock import ManualClock

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PAUSES = (20, 90, 301, 900, 3600, 3 * 3600)


def a_life(chance: random.Random, code: str) -> Iterator[Delivery]:
    """What a device sends: at once, or kept while it has no radio and sent together; some of it twice."""
    now, radio, kept = BEGIN, True, list[tuple[datetime, dict[str, object]]]()
    for _ in range(60):
        now += timedelta(seconds=chance.choice(PAUSES), microseconds=chance.randrange(1_000_000))
        if chance.random() < 0.15:
            radio = not radio
            if code == "lift-1":
                yield Delivery(f"clerestory/court/{code}/status", b"online" if radio else b"offline", now)
        body = a_message(chance, "elevator" if code == "lift-1" else "bin", now)
        if not radio:
            kept.append((now, body))
            continue
        yield from flushed(chance, code, kept, now)
        kept.clear()
        yield sent(code, body, now)
        if chance.random() < 0.2:
            later = now + timedelta(seconds=chance.choice((15, 200)), microseconds=1)
            yield sent(code, body, later)
            now = later


def flushed(
    chance: random.Random, code: str, kept: Sequence[tuple[datetime, dict[str, object]]], now: datetime
) -> Iterator[Delivery]:
    """What was kept comes at once: the old in any order, right behind it what is no minute old."""
    long_ago = [each for each in kept if now - each[0] > MINUTE]
    first = now - timedelta(microseconds=len(long_ago))
    for n, (_, body) in enumerate(chance.sample(long_ago, k=len(long_ago))):
        yield sent(code, body, first + timedelta(microseconds=n))
    for ts, body in kept[len(long_ago) :]:
        yield sent(code, body, now - timedelta(microseconds=1) if long_ago else ts)


def a_message(chance: random.Random, kind: str, ts: datetime) -> dict[str, object]:
    vocabulary = load_vocabulary()
    signals = vocabulary.signals(kind)
    some = chance.sample(sorted(signals), k=min(4, len(signals)))
    values: dict[str, object] = {}
    for name in some:
        signal, value = signals[name], a_value(chance, signals[name])
        values[name] = bool(value) if signal.type == "boolean" else value
        if signal.type == "enum":
            values[name] = signal.values[int(value)]
    body: dict[str, object] = {"v": 1, "ts": ts.isoformat(), "readings": values}
    if chance.random() < 0.2:
        body["events"] = [{"code": chance.choice(sorted(vocabulary.events_on(kind)))}]
    return body


def sent(code: str, body: dict[str, object], received: datetime) -> Delivery:
    return Delivery(f"clerestory/court/{code}/up", json.dumps(body).encode(), received)


async def live(
    conn: AsyncConnection, ingest: Ingest, clock: ManualClock, sends: list[Delivery], book: RuleBook
) -> datetime:
    """Gateway and worker, each message a batch of its own; the moment after the last."""

    async def timers(until: datetime) -> None:
        while (due := await next_due(conn)) is not None and due <= until:
            async with conn.transaction():
                await follow(conn, (await wake(conn, due, book)).changes, due)
                await look_after(conn, due, book)

    for delivery in sends:
        await timers(delivery.received_at)
        clock.set(delivery.received_at)
        assert await ingest.take([delivery]) == [None], delivery
        async with conn.transaction():
            await look_after(conn, delivery.received_at, book)
    end = sends[-1].received_at + 4 * DAY
    await timers(end)
    return end


async def recorded(conn: AsyncConnection) -> dict[int, list[Alarm]]:
    """The alarms that there were, by device; told of, whatever held them then."""
    cursor = await conn.execute(
        """
        SELECT m.device_id, m.rule, m.severity, m.raised_at, m.cleared_at,
               EXISTS (SELECT FROM alarm_event e
                        WHERE e.alarm_id = m.id AND e.kind IN ('paged', 'held', 'muted'))
          FROM alarm m ORDER BY m.raised_at
        """
    )
    found: dict[int, list[Alarm]] = {}
    for device, rule, severity, raised, cleared, told in await cursor.fetchall():
        ended = None if cleared is None else to_moment(cleared)
        found.setdefault(device, []).append(Alarm(rule, severity, to_moment(raised), ended, told))
    return found


async def lived(
    conn: AsyncConnection, pool: AsyncConnectionPool, seed: int
) -> tuple[World, list[Delivery], datetime]:
    """A past of two bins and an elevator, from before which on everything is known."""
    world = await make_world(conn)
    await conn.execute("UPDATE heard_since SET at = %(at)s", {"at": BEGIN - DAY})
    await telemetry.ensure_partitions(conn, BEGIN, BEGIN + 60 * DAY)
    chance, clock = random.Random(seed), ManualClock(BEGIN)  # noqa: S311 - a life, not a secret
    sends = [each for code in ("bin-1", "bin-2", "lift-1") for each in a_life(chance, code)]
    sends.sort(key=lambda each: each.received_at)
    end = await live(conn, make_ingest(pool, clock), clock, sends, load_rulebook())
    return world, sends, end


@pytest.mark.parametrize("seed", range(3))
async def test_a_replay_hears_what_was_heard_when_it_was_heard(
    conn: AsyncConnection, pool: AsyncConnectionPool, database_url: str, seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Need: rules one can trust before they are switched on, also where radios are bad."""
    world, _, end = await lived(conn, pool, seed)
    were = await recorded(conn)
    assert any(not alarm.paged for alarms in were.values() for alarm in alarms)
    assert "elevator_offline" in {alarm.rule for alarm in were[world.devices["lift-1"]]}
    replayed: dict[int, list[Alarm]] = {}

    def spy(self: object, place: object, old: list[Alarm], new: list[Alarm], *rest: object) -> None:
        del self, rest
        assert old == new
        replayed[place.device_id] = new  # type: ignore[attr-defined]

    sources, ids = file_sources(None), tuple(world.devices.values())
    part = Part(database_url, sources, sources, ids, BEGIN - 2 * DAY, BEGIN, end, BEGIN - DAY)
    with monkeypatch.context() as patch:
        patch.setattr("rules.replay.tally.Tally.note", spy)
        await run_part(part, lambda _: None)
    assert {device: in_order(alarms) for device, alarms in replayed.items() if alarms} == {
        device: in_order(alarms) for device, alarms in were.items()
    }
    tally = await run_part(part, lambda _: None)
    book = load_rulebook()
    order = Order(sources, sources, ("bin", "elevator"), BEGIN, end)
    report = Report(tally, part.warm_from, 1.0, 1, (), book, book, (), BEGIN - DAY)
    assert [each for each in tally.stories if each.sides & TODAY]
    found = await foresee(conn, order, report, end)
    assert found.heard_before is None
    there = await orders_there_were(conn)
    assert found.today.orders == len(there) > 5

    assert await orders_rehearsed(conn, order, report, shipped_policy()) == there


async def test_a_repeat_is_not_taken_for_late(conn: AsyncConnection, pool: AsyncConnectionPool) -> None:
    """Heard at once and an hour later again: the first counts, and of what came late the first time."""
    await make_world(conn)
    clock = ManualClock(BEGIN + DAY)
    ingest, now = make_ingest(pool, clock), clock.now()
    at_once = {"v": 1, "ts": now.isoformat(), "readings": {"fill_percent": 5}}
    tilted: dict[str, object] = {"v": 1, "ts": now.isoformat(), "events": [{"code": "tilt_alarm"}]}
    late = {"v": 1, "ts": (now - DAY / 2).isoformat(), "readings": {"fill_percent": 4}}
    first = [sent("bin-1", body, now) for body in (at_once, late)] + [sent("bin-2", tilted, now)]
    again = [Delivery(each.topic, each.payload, now + DAY / 24) for each in first]
    for batch in (first, again, again):
        assert await ingest.take(batch) == [None] * 3
    cursor = await conn.execute("SELECT ts, heard_at FROM heard_late")
    assert await cursor.fetchall() == [(now - DAY / 2, now)]
    deleted = await delete_events(conn, now)
    assert deleted == 0
    assert await (await conn.execute("SELECT FROM heard_late")).fetchall() == []


async def test_who_is_gone_is_kept_once_and_not_what_the_broker_repeats(
    conn: AsyncConnection, pool: AsyncConnectionPool
) -> None:
    world = await make_world(conn)
    clock = ManualClock(BEGIN + DAY)
    ingest, topic = make_ingest(pool, clock), "clerestory/court/lift-1/status"
    said = [
        (b"online", False),
        (b"online", False),
        (b"offline", False),
        (b"offline", True),
        (b"online", False),
    ]
    for n, (word, retained) in enumerate(said):
        moment = clock.now() + n * MINUTE
        assert await ingest.take([Delivery(topic, word, moment, retained=retained)]) == [None]
    cursor = await conn.execute("SELECT device_id, heard_at, online FROM presence ORDER BY heard_at")
    lift, first = world.devices["lift-1"], clock.now()
    assert await cursor.fetchall() == [
        (lift, first, True), (lift, first + 2 * MINUTE, False), (lift, first + 4 * MINUTE, True),
    ]  # fmt: skip


async def test_gone_and_there_again_in_one_batch_are_both_kept(
    conn: AsyncConnection, pool: AsyncConnectionPool
) -> None:
    """A backlog of the broker comes as one batch: a replay must not take the device for gone after it."""
    await make_world(conn)
    clock = ManualClock(BEGIN + DAY)
    ingest, topic, now = make_ingest(pool, clock), "clerestory/court/lift-1/status", clock.now()
    assert await ingest.take([Delivery(topic, b"online", now)]) == [None]
    words = [(b"offline", False), (b"online", False), (b"online", False), (b"offline", True)]
    backlog = [
        Delivery(topic, word, now + n * MINUTE, retained=retained)
        for n, (word, retained) in enumerate(words, 1)
    ]
    assert await ingest.take(backlog) == [None] * 4
    cursor = await conn.execute("SELECT heard_at, online FROM presence ORDER BY heard_at")
    assert await cursor.fetchall() == [(now, True), (now + MINUTE, False), (now + 2 * MINUTE, True)]


@pytest.mark.parametrize("back", [True, False])
async def test_who_was_gone_elsewhere_is_not_judged_here_but_who_is_gone_still_is(
    conn: AsyncConnection, database_url: str, *, back: bool
) -> None:
    """The device was moved to this elevator: what it was away before that is no alarm of this one."""
    world = await make_world(conn)
    lift, moved = world.devices["lift-1"], BEGIN + DAY
    words = [(BEGIN + DAY / 4, False), (BEGIN + DAY / 2, True), (BEGIN + DAY / 3 * 2, False)]
    for at, online in words[: 2 if back else 3]:
        await conn.execute(
            "INSERT INTO presence (community_id, device_id, heard_at, online)"
            " SELECT community_id, id, %(at)s, %(online)s FROM device WHERE id = %(id)s",
            {"at": at, "online": online, "id": lift},
        )
    await conn.execute(
        "INSERT INTO device_change (device_id, at, via, what, before, after) VALUES (%(id)s, %(at)s, 'page',"
        " 'changed', '{\"asset_id\": 99}', '{\"asset_id\": 1}')",
        {"id": lift, "at": moved},
    )
    sources, end = file_sources(None), moved + 5 * MINUTE
    part = Part(database_url, (), sources, (lift,), BEGIN - DAY, BEGIN, end, BEGIN - DAY)
    raised = [(each.rule, each.raised) for each in (await run_part(part, lambda _: None)).stories]
    assert raised == ([] if back else [("elevator_offline", to_moment(moved + 2 * MINUTE))])
