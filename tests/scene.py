"""A busy afternoon in the town, for tests of the work and desk pages: alarms, orders at every stage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from config.checklist import ChecklistItem
from config.text import Text
from dispatch import moves, office, photos
from dispatch.orders import NewOrder, open_order
from dispatch.people import By
from dispatch.sweep import sweep
from storage import telemetry
from tests.town import CHECKLIST, Town, build, picture

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DOOR_CHECKS = (
    ChecklistItem(
        code="doors", name=Text(zh="层门、轿门与门锁正常", en="Landing doors, car door and locks work")
    ),
    ChecklistItem(
        code="door_gap_mm",
        name=Text(zh="层门间隙", en="Landing door gap"),
        type="number",
        unit="mm",
        min=1,
        max=6,
    ),
)


@dataclass(slots=True)
class Scene:
    """The town, and the numbers of its orders by what they show."""

    town: Town
    orders: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)


async def one(conn: AsyncConnection, query: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 - one value of any type
    """Return the one value a query finds."""
    row = await (await conn.execute(query.encode(), values)).fetchone()
    assert row is not None
    return row[0]


async def add_device(conn: AsyncConnection, scene: Scene, code: str, asset: str, profile: str) -> int:
    """Attach a device to an asset."""
    scene.devices[code] = await one(
        conn,
        """
        INSERT INTO device (community_id, asset_id, code, profile)
        SELECT community_id, id, %(code)s, %(profile)s FROM asset WHERE id = %(asset)s RETURNING id
        """,
        {"code": code, "profile": profile, "asset": scene.town.assets[asset]},
    )
    return scene.devices[code]


async def add_bin(conn: AsyncConnection, scene: Scene) -> None:
    """Put a bin with a sensor in the garden."""
    town = scene.town
    town.assets["N7"] = await one(
        conn,
        """
        INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en, place_zh, place_en)
        VALUES (%(community)s, %(area)s, 'bin', 'N7', '7号垃圾桶', 'Bin 7', '南门花园', 'South gate garden')
        RETURNING id
        """,
        {"community": town.communities["home"], "area": town.areas["home"]},
    )
    await add_device(conn, scene, "bin-7", "N7", "bin-native")


async def add_alarm(
    conn: AsyncConnection,
    scene: Scene,
    name: str,
    *,
    device: str,
    at: datetime,
    severity: str,
    title: Text,
    meaning: Text,
    facts: dict[str, Any] | None = None,
    cleared_at: datetime | None = None,
) -> int:
    """Store an alarm as the rules do."""
    scene.alarms[name] = await one(
        conn,
        """
        INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,
                           meaning_en, facts, raised_at, recorded_at, paged_at, cleared_at)
        SELECT community_id, id, %(rule)s, %(severity)s, %(tzh)s, %(ten)s, %(mzh)s, %(men)s, %(facts)s,
               %(at)s, %(at)s, %(at)s, %(cleared)s
          FROM device WHERE id = %(device)s RETURNING id
        """,
        {
            "rule": name,
            "severity": severity,
            "tzh": title.zh,
            "ten": title.en,
            "mzh": meaning.zh,
            "men": meaning.en,
            "facts": Jsonb(facts or {}),
            "at": at,
            "cleared": cleared_at,
            "device": scene.devices[device],
        },
    )
    return scene.alarms[name]


async def add_order(conn: AsyncConnection, scene: Scene, name: str, new: NewOrder, at: datetime) -> int:
    """Open an order and remember it by name."""
    order_id = await open_order(conn, new, at)
    scene.orders[name] = order_id
    scene.numbers[name] = await one(conn, "SELECT number FROM work_order WHERE id = %(id)s", {"id": order_id})
    return order_id


def order_for(scene: Scene, asset: str, *, kind: str, skill: str, title: Text, **more: Any) -> NewOrder:  # noqa: ANN401
    """Describe an order of community home."""
    return NewOrder(
        community_id=scene.town.communities["home"],
        asset_id=scene.town.assets[asset],
        kind=kind,
        skill=skill,
        severity=more.pop("severity", "major"),
        title=title,
        **more,
    )


async def give(conn: AsyncConnection, scene: Scene, name: str, technician: str, at: datetime) -> None:
    """Offer an order to a technician and have it accepted."""
    boss = By(account_id=scene.town.accounts["manager"])
    await office.assign(conn, scene.orders[name], scene.town.staff[technician], boss, at, "")
    await moves.accept(conn, scene.orders[name], scene.town.by(technician), at)


async def entrapment(conn: AsyncConnection, scene: Scene, now: datetime) -> None:
    """Somebody is trapped: a critical order, offered to the two technicians at once."""
    title = Text(zh="电梯困人", en="Passenger trapped in the elevator")
    meaning = Text(
        zh="轿厢停在两层之间，门已关闭，轿厢内有人。",
        en="The car stopped between floors with its door closed and somebody inside.",
    )
    alarm_id = await add_alarm(
        conn,
        scene,
        "elevator_entrapment",
        device="lift-1",
        at=now - MINUTE,
        severity="critical",
        title=title,
        meaning=meaning,
        facts={"floor": 7, "door_closed": True, "passenger_present": True},
    )
    new = order_for(
        scene,
        "L1",
        kind="elevator_rescue",
        skill="elevator",
        title=title,
        severity="critical",
        alarm_id=alarm_id,
        what=meaning,
        todo=Text(
            zh="用五方对讲安抚乘客，问清人数和身体状况\n切断主电源，确认轿厢位置\n盘车至平层，打开层门救出乘客",
            en="Calm the passengers over the intercom; ask how many and how they are\n"
            "Switch the mains off and find where the car is\n"
            "Turn the car to a floor by hand, open the landing door and free them",
        ),
        safety=Text(
            zh="盘车前必须切断主电源并挂牌；层门打开时防止坠落。",
            en="Mains off and tagged before turning by hand; beware of falling at an open landing door.",
        ),
        checklist=DOOR_CHECKS,
        because=meaning,
    )
    await add_order(conn, scene, "trapped", new, now - MINUTE)


async def stage(conn: AsyncConnection, now: datetime) -> Scene:
    """Build the whole afternoon."""
    async with conn.transaction():
        scene = Scene(await build(conn))
        await add_device(conn, scene, "lift-1", "L1", "elevator-native")
        await add_device(conn, scene, "lift-9", "L9", "elevator-native")
        await add_bin(conn, scene)
        await past_faults(conn, scene, now)
        await in_progress(conn, scene, now)
        await on_hold(conn, scene, now)
        await overflow(conn, scene, now)
        garden = order_for(
            scene,
            "G1",
            kind="gardening",
            skill="gardening",
            title=Text(zh="大风后清理断枝", en="Clear branches after the storm"),
        )
        await add_order(conn, scene, "nobody", garden, now - 40 * MINUTE)
        await sweep(conn, now - 40 * MINUTE)
        await entrapment(conn, scene, now)
        await sweep(conn, now - MINUTE)
    return scene


async def past_faults(conn: AsyncConnection, scene: Scene, now: datetime) -> None:
    """Give the elevator a history."""
    for days, name, title in (
        (3, "door_close", Text(zh="关门故障反复出现", en="Door fails to close again and again")),
        (12, "vibration", Text(zh="门机振动升高", en="Door vibration rising")),
        (30, "power", Text(zh="主电源断电", en="Mains power lost")),
        (41, "old", Text(zh="楼层位置丢失", en="Floor position lost")),
    ):
        at = now - timedelta(days=days)
        await add_alarm(
            conn,
            scene,
            name,
            device="lift-1",
            at=at,
            severity="major",
            title=title,
            meaning=title,
            cleared_at=at + 2 * HOUR,
        )


async def in_progress(conn: AsyncConnection, scene: Scene, now: datetime) -> None:
    """Wang is on the spot at the elevator, with a photo taken."""
    new = order_for(
        scene,
        "L1",
        kind="elevator_repair",
        skill="elevator",
        title=Text(zh="关门故障反复出现", en="Door fails to close again and again"),
        what=Text(zh="一小时内关门失败 4 次。", en="The door failed to close four times within an hour."),
        todo=Text(
            zh="检查门机皮带\n清洁地坎\n测量层门间隙", en="Check the belt\nClean the sill\nMeasure the gap"
        ),
        checklist=DOOR_CHECKS,
        because=Text(zh="一小时内关门失败 4 次", en="four failed closings within an hour"),
    )
    start = now - 50 * MINUTE
    order_id = await add_order(conn, scene, "working", new, start)
    await give(conn, scene, "working", "wang", start)
    wang = scene.town.by("wang")
    await moves.set_off(conn, order_id, wang, start + 2 * MINUTE)
    await moves.arrive(conn, order_id, wang, start + 15 * MINUTE)
    await photos.add(conn, order_id, wang, photos.prepare(picture("#8aa37b")), start + 20 * MINUTE)


async def on_hold(conn: AsyncConnection, scene: Scene, now: datetime) -> None:
    """Zhao waits for a part, with the clock stopped."""
    new = order_for(
        scene,
        "G1",
        kind="cleaning",
        skill="cleaning",
        severity="minor",
        title=Text(zh="大堂玻璃破损清理", en="Broken glass in the lobby"),
        checklist=(CHECKLIST[0],),
    )
    start = now - 3 * HOUR
    order_id = await add_order(conn, scene, "held", new, start)
    await give(conn, scene, "held", "zhao", start)
    zhao = scene.town.by("zhao")
    await moves.set_off(conn, order_id, zhao, start + 5 * MINUTE)
    await moves.arrive(conn, order_id, zhao, start + 10 * MINUTE)
    await moves.hold(conn, order_id, zhao, start + 30 * MINUTE, "waiting_for_parts", "")


async def overflow(conn: AsyncConnection, scene: Scene, now: datetime) -> None:
    """The bin overflows; nobody has an order for it yet."""
    await add_alarm(
        conn,
        scene,
        "bin_overflow",
        device="bin-7",
        at=now - 20 * MINUTE,
        severity="major",
        title=Text(zh="垃圾桶满溢", en="Bin overflowing"),
        meaning=Text(
            zh="桶内垃圾已达到满溢阈值，垃圾可能散落在外。",
            en="The bin has reached its overflow threshold; waste may be lying around it.",
        ),
        facts={"fill_percent": 96.0},
    )


async def fill_history(conn: AsyncConnection, scene: Scene, now: datetime, hours: Sequence[int]) -> None:
    """Let the bin report its filling at these hours before now."""
    ids = await telemetry.ensure_signals(conn, ["fill_percent", "battery_percent", "tilted"])
    rows = [
        (signal, now - hour * HOUR, value)
        for hour in hours
        for signal, value in (
            ("fill_percent", max(4.0, 96.0 - 4.5 * hour)),
            ("battery_percent", 80.0),
            ("tilted", 0.0),
        )
    ]
    device, community = scene.devices["bin-7"], scene.town.communities["home"]
    await telemetry.write_readings(
        conn,
        [community] * len(rows),
        [device] * len(rows),
        [ids[signal] for signal, _, _ in rows],
        [at for _, at, _ in rows],
        [value for _, _, value in rows],
    )
    await conn.execute(
        """
        INSERT INTO device_state (community_id, device_id, state, heard_at, online)
        VALUES (%(community)s, %(device)s, '{}', %(at)s, true)
            ON CONFLICT (community_id, device_id) DO UPDATE SET heard_at = %(at)s, online = true
        """,
        {"community": community, "device": device, "at": now - min(hours) * HOUR},
    )
