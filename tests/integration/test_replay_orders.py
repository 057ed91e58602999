"""What the house did with alarms a replay of the same rules does again: held, told, joined, ordered.

The past is lived on the real thing: devices say, people mute, declare emergencies, take and do orders.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from clerestory.replay_words import funnel_words, report_lines
from config.text import Text
from config.vocabulary import load_vocabulary
from dispatch import moves, office, quieting, records
from dispatch.foreseeing import foresee
from dispatch.foresight import Foresight
from dispatch.orders import NewOrder, open_order
from dispatch.people import By
from dispatch.policy import Policy, shipped_policy
from dispatch.quieting import NewMute
from dispatch.refusals import DispatchRefusal
from dispatch.rehearsal.rehearse import rehearse
from dispatch.rehearsal.remember import remember
from rules.book import load_sources
from rules.moments import to_moment
from rules.replay.crew import Order, Report
from rules.replay.run import Part, run_part
from rules.replay.story import TODAY
from rules.sources import Source, put_in, read_sources
from storage import telemetry
from tests.integration.alarm_world import DESK, Place, build, moment, rows, the_book
from tests.integration.dispatch_world import World, add_technician

GROUP = "group: { by: area, within: 10m }"
ALARM = tuple[int, str, int]  # device, rule, raised
SAID: dict[str, dict[str, tuple[float | str, ...]]] = {
    "bin": {"fill_percent": (10, 60, 95), "temperature_c": (10, 50, 80), "tilted": (0, 1)},
    "lift": {
        "power_on": (0, 1),
        "door_vibration_db": (10, 60),
        "service_mode": ("normal", "inspection"),
    },
}


@dataclass
class Life:
    """A past of random things at random minutes, no two of them at once."""

    conn: AsyncConnection
    place: Place
    chance: random.Random
    policy: Policy
    staff: int = 0
    technician: By = field(default_factory=lambda: By(None))
    mutes: list[int] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)  # when mutes end
    minute: float = 0

    async def live(self, times: int) -> datetime:
        """Live on; the moment after the last thing."""
        doing: list[Callable[[], Awaitable[None]]] = [self.say] * 8
        doing += [self.move] * 5
        doing += [self.mute, self.lift, self.declare, self.open]
        for _ in range(times):
            await self.wait(self.chance.choice((0.5, 2, 5, 9, 20, 60)) + self.chance.random() / 10)
            try:
                async with self.conn.transaction():
                    await self.chance.choice(doing)()
            except DispatchRefusal:
                pass  # somebody tapped what cannot be done any more
            await self.place.look(self.conn, self.minute, self.policy)
        await self.wait(1)
        return moment(self.minute)

    async def wait(self, minutes: float) -> None:
        """Time goes by; the worker looks where a mute ends."""
        until = self.minute + minutes
        for end in sorted(end for end in self.ends if end <= until):
            await self.place.look(self.conn, end, self.policy)
            self.ends.remove(end)
        self.minute = until

    async def say(self) -> None:
        code = self.chance.choice(sorted(self.place.devices))
        kinds = SAID["lift" if code == "lift" else "bin"]
        some = self.chance.sample(sorted(kinds), k=self.chance.randint(1, len(kinds)))
        await self.tell(code, {name: self.chance.choice(kinds[name]) for name in some})

    async def tell(self, code: str, said: dict[str, float | str]) -> None:
        """A device says something: it is stored, and acted on."""
        device, at = self.place.devices[code], moment(self.minute)
        numbers = await telemetry.ensure_signals(self.conn, sorted(said))
        signals = load_vocabulary().signals(device.asset_class or "")
        values = [
            float(signals[name].values.index(value)) if isinstance(value, str) else float(value)
            for name, value in said.items()
        ]
        count = len(said)
        await telemetry.write_readings(
            self.conn,
            [device.community_id] * count,
            [device.device_id] * count,
            [numbers[name] for name in said],
            [at] * count,
            values,
        )
        await self.place.say(self.conn, code, self.minute, self.policy, **said)

    async def move(self) -> None:
        """Somebody does the next thing about a live order."""
        live = await rows(
            self.conn, "SELECT id, status FROM work_order WHERE order_is_live(status) ORDER BY id"
        )
        if not live:
            return
        (order, status), now = self.chance.choice(live), moment(self.minute)
        if self.chance.random() < 0.1:
            await office.cancel(self.conn, order, self.desk, now, "not needed")
        elif status in {"open", "reopened"}:
            await office.assign(self.conn, order, self.staff, self.desk, now)
        elif status == "assigned":
            await moves.accept(self.conn, order, self.technician, now)
        elif status == "accepted":
            await moves.set_off(self.conn, order, self.technician, now)
        elif status == "en_route":
            await moves.arrive(self.conn, order, self.technician, now)
        else:
            done = records.Completion(answers=(), labour_minutes=5)
            await records.complete(self.conn, order, self.technician, done, now)

    async def mute(self) -> None:
        minutes = self.chance.choice((7, 30, 200)) + 0.5
        asset, area, rule = self.chance.choice(
            (
                (None, None, None),
                (self.place.assets["bin-1"], None, None),
                (None, self.place.areas["east"], "full"),
                (None, None, "dark"),
            )
        )
        new = NewMute(self.place.community, "noise", moment(self.minute + minutes), rule, asset, area)
        codes = self.place.codes
        self.mutes.append(await quieting.mute(self.conn, new, DESK, moment(self.minute), codes, self.policy))
        self.ends.append(self.minute + minutes)

    async def lift(self) -> None:
        if self.mutes:
            await quieting.lift(self.conn, self.mutes.pop(), DESK, moment(self.minute))

    async def declare(self) -> None:
        """Begin an emergency, or end the one there is."""
        now, community = moment(self.minute), self.place.community
        if await rows(self.conn, "SELECT FROM emergency WHERE ended_at IS NULL"):
            await quieting.end_emergency(self.conn, community, "over", DESK, now)
        else:
            await quieting.declare(self.conn, community, "storm", "typhoon", DESK, now)

    async def open(self) -> None:
        """Open an order by hand."""
        code, kind = self.chance.choice((("lift", "elevator_maintenance"), ("bin-2", "waste_collection")))
        skill = "elevator" if code == "lift" else "cleaning"
        words = Text(zh="看", en="Look")
        new = NewOrder(self.place.community, self.place.assets[code], kind, skill, "minor", words)
        await open_order(self.conn, new, moment(self.minute), self.desk, self.policy)

    @property
    def desk(self) -> By:
        return By(self.place.account)


async def begun(conn: AsyncConnection, folder: Path, seed: int, policy: Policy) -> Life:
    place = await build(conn, the_book(folder))
    await telemetry.ensure_partitions(conn, moment(0), moment(60 * 24 * 60))
    life = Life(conn, place, random.Random(seed), policy)  # noqa: S311 - a life, not a secret
    areas, assets = list(place.areas.values()), place.assets
    world = World(place.community, areas[0], areas[1], assets["lift"], assets["bin-1"], 0)
    life.staff = await add_technician(conn, world, "wang")
    life.technician = world.by("wang")
    return life


async def replayed(
    conn: AsyncConnection, url: str, today: tuple[Source, ...], changed: tuple[Source, ...], end: datetime
) -> tuple[Order, Report]:
    """A replay of all the past there is."""
    order = Order(today, changed, ("bin", "elevator"), moment(0), end)
    ids = tuple(id_ for (id_,) in await rows(conn, "SELECT id FROM device ORDER BY id"))
    warm_from = moment(0) - timedelta(days=2)
    tally = await run_part(Part(url, today, changed, ids, warm_from, order.start, end), lambda _: None)
    return order, Report(tally, warm_from, 1.0, 1, (), load_sources(today), load_sources(changed))


async def orders_there_were(conn: AsyncConnection) -> list[tuple[int, list[ALARM]]]:
    """When each order was opened for alarms, and for which."""
    found = await rows(
        conn,
        """
        SELECT o.opened_at, array_agg(m.id ORDER BY m.id) FROM work_order o
          JOIN alarm_order l ON l.order_id = o.id JOIN alarm m ON m.id = l.alarm_id GROUP BY o.id
        """,
    )
    alarms = {
        id_: (device, rule, to_moment(raised))
        for id_, device, rule, raised in await rows(conn, "SELECT id, device_id, rule, raised_at FROM alarm")
    }
    return sorted((to_moment(at), sorted(alarms[each] for each in ids)) for at, ids in found)


async def orders_rehearsed(
    conn: AsyncConnection, order: Order, report: Report, policy: Policy
) -> list[tuple[int, list[ALARM]]]:
    """The same by a rehearsal of today's rules."""
    past = await remember(conn, order, report)
    stories = [each for each in report.tally.stories if each.sides & TODAY]
    rules = {rule.code: rule for rule in report.before.rules}
    settled = rehearse(stories, rules, past, policy, to_moment(order.end))
    opened = {each.order: each.at for each in settled if each.what == "opened"}
    alarms: dict[int | None, set[ALARM]] = {}
    for each in settled:
        if each.order is not None:
            story = each.story
            alarms.setdefault(each.order, set()).add((story.device_id, story.rule, story.raised))
    return sorted((opened[number], sorted(found)) for number, found in alarms.items())


def grouping_house() -> Policy:
    """A house that lets alarms of an asset share an order where their rules do not say."""
    said = shipped_policy().model_dump()
    said["alarms"]["group"] = {"by": "asset", "within": "30m"}
    return Policy.model_validate(said)


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_rules_on_the_same_past_open_the_same_orders(
    conn: AsyncConnection, database_url: str, tmp_path: Path, seed: int
) -> None:
    """Need: rules one can trust before they are switched on."""
    policy = grouping_house() if seed % 2 else shipped_policy()
    life = await begun(conn, tmp_path, seed, policy)
    end = await life.live(130)
    sources = read_sources([tmp_path / "bins.yaml", tmp_path / "lifts.yaml"])
    order, report = await replayed(conn, database_url, sources, sources, end)
    were = await orders_there_were(conn)
    assert len(were) > 8
    assert await orders_rehearsed(conn, order, report, policy) == were
    found = await foresee(conn, order, report, end, policy)
    assert_told(found, len(were), sum(len(alarms) for _, alarms in were))
    held = await rows(
        conn,
        "SELECT DISTINCT alarm_id FROM alarm_event WHERE kind IN ('held', 'muted') AND NOT EXISTS"
        " (SELECT FROM alarm_order l WHERE l.alarm_id = alarm_event.alarm_id)",
    )
    asking = await rows(conn, "SELECT id FROM alarm WHERE rule <> 'low'")
    assert found.today.kept == len({id_ for (id_,) in held} & {id_ for (id_,) in asking})


def assert_told(found: Foresight, orders: int, with_order: int) -> None:
    """No difference is told, and as many orders as there were."""
    assert found.changes == ()
    assert found.rehearsed
    assert found.today == found.changed
    assert found.today.orders == orders
    assert found.today.orders + found.today.joined == with_order
    assert found.today.alarms == found.today.orders + found.today.joined + found.today.kept
    assert found.today.supposed == 0
    for line in found.orders:
        assert line.old == line.new == pytest.approx(line.recorded)


async def three_full_bins(conn: AsyncConnection, folder: Path) -> datetime:
    """Two of one area, one after the other, and one elsewhere that is muted; an hour later."""
    life = await begun(conn, folder, 0, shipped_policy())
    place = life.place
    new = NewMute(place.community, "noise", moment(600), "full", place.assets["bin-3"])
    await quieting.mute(conn, new, DESK, moment(0), place.codes)
    for minute, code in ((1, "bin-1"), (6, "bin-2"), (8, "bin-3")):
        life.minute = minute
        await life.tell(code, {"fill_percent": 95})
    assert len(await orders_there_were(conn)) == 1
    return moment(60)


async def foreseen(
    conn: AsyncConnection, url: str, folder: Path, end: datetime, before: str = "", after: str = ""
) -> Foresight:
    """What a change in the words of the bins' file would have meant."""
    today = read_sources([folder / "bins.yaml", folder / "lifts.yaml"])
    assert before in today[0].text
    changed = Source(today[0].name, today[0].place, today[0].text.replace(before, after, 1))
    order, report = await replayed(conn, url, today, put_in(today, changed), end)
    return await foresee(conn, order, report, end)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (GROUP, "group: { by: area, within: 4m }", "3 alarms → 2 orders: 1 held"),
        (GROUP, "inhibited_by: [{ order: waste_collection }]", "3 alarms → 2 orders: 1 held"),
        ("severity: minor", "severity: critical", "3 alarms → 1 order: 1 held (1 muted), 1 joined"),
        ("fill_percent >= 90.0", "fill_percent >= 99.0", "0 alarms → 0 orders"),
    ],
)  # fmt: skip
async def test_what_only_touches_the_orders_is_seen_in_them(
    conn: AsyncConnection, database_url: str, tmp_path: Path, before: str, after: str, changed: str
) -> None:
    end = await three_full_bins(conn, tmp_path)
    found = await foreseen(conn, database_url, tmp_path, end, before, after)
    assert funnel_words(found.today) == "3 alarms → 1 order: 1 held (1 muted), 1 joined"
    assert changed in funnel_words(found.changed)
    said = list(report_lines(found, None))
    assert f"changed  {funnel_words(found.changed)}" in said
    # The second of two orders nobody had then.
    assert found.changed.supposed == int("2 orders" in changed)


async def test_orders_that_were_are_told_also_where_no_rule_gives_any(
    conn: AsyncConnection, database_url: str, tmp_path: Path
) -> None:
    """The rules of today would not have opened it: it is the past of others."""
    end = await three_full_bins(conn, tmp_path)
    words = (tmp_path / "bins.yaml").read_text().replace("fill_percent >= 90.0", "fill_percent >= 99.0")
    (tmp_path / "bins.yaml").write_text(words)
    found = await foreseen(conn, database_url, tmp_path, end)
    [line] = found.orders
    assert (line.kind, line.old, line.new) == ("waste_collection", 0, 0)
    assert line.recorded == pytest.approx(7 * 24)


async def test_too_many_alarms_are_counted_as_they_ask_and_that_is_said(
    conn: AsyncConnection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = await three_full_bins(conn, tmp_path)
    monkeypatch.setattr("rules.replay.tally.MOST_STORIES", 2)
    found = await foreseen(conn, database_url, tmp_path, end)
    assert not found.rehearsed
    assert sum(line.old for line in found.orders) == pytest.approx(3 * 7 * 24)
    assert any(line.startswith("counted as alarms ask for them") for line in report_lines(found, None))
