"""A replay finds what gateway and worker found when the same messages came in, to the microsecond."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection

from config.vocabulary import Signal, load_vocabulary
from gateway.signals import Device, Event, Heard, Reading
from rules.apply import hear, next_due, wake
from rules.book import RuleBook, load_rulebook
from rules.moments import to_moment
from rules.replay.device import Alarm
from rules.replay.run import Part, run_part
from rules.sources import file_sources
from storage import telemetry
from tests.integration.test_rules_apply import install

START = datetime(2026, 9, 1, tzinfo=UTC)
PAUSES = (10, 60, 200, 301, 900, 3600, 4 * 3600, 27 * 3600, 60 * 3600)
DEVICES = 6
MESSAGES = 50


def a_life(chance: random.Random, device: Device) -> Iterator[Heard]:
    """What a device might say, at moments all different."""
    vocabulary = load_vocabulary()
    signals = vocabulary.signals(device.asset_class or "")
    events = sorted(vocabulary.events_on(device.asset_class or ""))
    ts = START + timedelta(seconds=chance.random() * 3600)
    for _ in range(MESSAGES):
        ts += timedelta(seconds=chance.choice(PAUSES), microseconds=chance.randrange(1_000_000))
        some = chance.sample(sorted(signals), k=min(4, len(signals)))
        readings = tuple(Reading(name, ts, a_value(chance, signals[name])) for name in some)
        happened = tuple(Event(code, ts, "x") for code in chance.sample(events, k=chance.choice((0, 0, 1))))
        yield Heard.of(device, ts, readings, happened)


def a_value(chance: random.Random, signal: Signal) -> float:
    """Something a signal can be, more often at the ends of its range, where rules listen."""
    if signal.type == "boolean":
        return float(chance.random() < 0.5)
    if signal.type == "enum":
        return float(chance.randrange(len(signal.values)))
    low = signal.minimum if signal.minimum is not None else -100.0
    high = signal.maximum if signal.maximum is not None else 1000.0
    share = chance.choice((0.0, 0.02, 0.1, 0.5, chance.random(), 0.85, 0.93, 1.0))
    return low + (high - low) * share


async def live_through(conn: AsyncConnection, messages: list[Heard], book: RuleBook, end: datetime) -> None:
    """What gateway and worker do, the worker at the very moment of each timer."""

    async def timers(until: datetime) -> None:
        while (due := await next_due(conn)) is not None and due <= until:
            await wake(conn, due, book)

    numbers = await telemetry.ensure_signals(conn, load_vocabulary().signal_names())
    for heard in messages:
        async with conn.transaction():
            await timers(heard.received_at)
            key = heard.device.key
            for said in heard.readings:
                row = ([key[0]], [key[1]], [numbers[said.signal]], [said.ts], [said.value])
                await telemetry.write_readings(conn, *row)
            for event in heard.events:
                await telemetry.write_events(
                    conn, [key[0]], [key[1]], [event.code], [event.ts], [event.detail]
                )
            await hear(conn, [heard], book)
    async with conn.transaction():
        await timers(end)


async def stored_alarms(conn: AsyncConnection) -> dict[int, list[Alarm]]:
    cursor = await conn.execute(
        "SELECT device_id, rule, severity, raised_at, cleared_at, paged_at IS NOT NULL FROM alarm"
    )
    found: dict[int, list[Alarm]] = {}
    for device, rule, severity, raised, cleared, paged in await cursor.fetchall():
        ended = None if cleared is None else to_moment(cleared)
        found.setdefault(device, []).append(Alarm(rule, severity, to_moment(raised), ended, paged))
    return found


async def lived(conn: AsyncConnection, seed: int) -> tuple[list[Device], datetime]:
    """Bins and elevators with a past that was heard as it happened."""
    chance = random.Random(seed)  # noqa: S311 - a life, not a secret
    await telemetry.ensure_partitions(conn, START, START + timedelta(days=120))
    devices = [
        await install(conn, f"{kind}-{n}", kind, f"{kind}-native")
        for kind in ("bin", "elevator")
        for n in range(DEVICES // 2)
    ]
    lives = [list(a_life(chance, device)) for device in devices]
    messages = sorted((heard for life in lives for heard in life), key=lambda heard: heard.received_at)
    end = messages[-1].received_at + timedelta(days=3)
    await live_through(conn, messages, load_rulebook(), end)
    return devices, end


def part_of(url: str, devices: list[Device], end: datetime, start: datetime = START) -> Part:
    sources = file_sources(None)
    ids = tuple(sorted(device.device_id for device in devices))
    return Part(url, sources, sources, ids, START, start, end)


def in_order(alarms: list[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=lambda alarm: (alarm.raised, alarm.rule))


@pytest.mark.parametrize("seed", range(2))
async def test_a_replay_gives_the_alarms_that_were_recorded(
    conn: AsyncConnection, database_url: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices, end = await lived(conn, seed)
    replayed: dict[int, list[Alarm]] = {}
    recorded = await stored_alarms(conn)
    assert sum(map(len, recorded.values())) > 20

    def spy(self: object, place: object, old: list[Alarm], new: list[Alarm], *rest: object) -> None:
        del self, rest
        assert old == new
        replayed[place.device_id] = new  # type: ignore[attr-defined]

    monkeypatch.setattr("rules.replay.tally.Tally.note", spy)
    await run_part(part_of(database_url, devices, end), lambda _: None)
    assert {device: in_order(alarms) for device, alarms in replayed.items() if alarms} == {
        device: in_order(alarms) for device, alarms in recorded.items()
    }
