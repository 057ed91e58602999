"""A small community for the dispatch tests: two areas, an elevator and a bin, technicians on shift."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from psycopg import AsyncConnection

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.orders import NewOrder, open_order
from dispatch.people import By
from dispatch.status import Severity

# A Monday, 09:00 in Shanghai.
MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

GAP = ChecklistItem(
    code="door_gap_mm",
    name=Text(zh="层门间隙", en="Landing door gap"),
    type="number",
    unit="mm",
    min=1,
    max=6,
)
LEVEL = ChecklistItem(code="levelling", name=Text(zh="平层正常", en="Levelling right"))


@dataclass
class World:
    """Ids of what the tests work on."""

    community: int
    east: int
    west: int
    elevator: int
    bin: int
    device: int
    technicians: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)

    def by(self, code: str, request_id: str | None = None) -> By:
        """A tap of one technician."""
        return By(self.accounts[code], self.technicians[code], request_id=request_id)

    @property
    def office(self) -> By:
        """A tap of the dispatcher."""
        return By(self.accounts["dispatcher"])


async def _id(conn: AsyncConnection, query: str, *values: object) -> int:
    cursor = await conn.execute(query.encode(), values)
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def build(conn: AsyncConnection) -> World:
    """Add the community, its assets and the dispatcher; technicians are added one by one."""
    community = await _id(
        conn,
        "INSERT INTO community (code, name_zh, name_en, timezone)"
        " VALUES ('bund', '外滩', 'Bund', 'Asia/Shanghai') RETURNING id",
    )
    areas = [
        await _id(
            conn,
            "INSERT INTO area (community_id, code, name_zh, name_en) VALUES (%s, %s, %s, %s) RETURNING id",
            community,
            code,
            zh,
            code,
        )
        for code, zh in (("east", "东区"), ("west", "西区"))
    ]
    assets = [
        await _id(
            conn,
            "INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en, place_zh, place_en)"
            " VALUES (%s, %s, %s, %s, %s, %s, '3 栋', 'Building 3') RETURNING id",
            community,
            areas[0],
            kind,
            code,
            zh,
            en,
        )
        for kind, code, zh, en in (
            ("elevator", "E1", "1 号电梯", "Elevator 1"),
            ("bin", "N1", "1 号垃圾桶", "Bin 1"),
        )
    ]
    device = await _id(
        conn,
        "INSERT INTO device (community_id, asset_id, code, profile)"
        " VALUES (%s, %s, 'e1-box', 'elevator-native') RETURNING id",
        community,
        assets[0],
    )
    world = World(community, areas[0], areas[1], assets[0], assets[1], device)
    world.accounts["dispatcher"] = await _id(
        conn, "INSERT INTO account (login, name, role) VALUES ('desk', '调度', 'dispatcher') RETURNING id"
    )
    return world


async def add_technician(
    conn: AsyncConnection,
    world: World,
    code: str,
    *,
    skill: str = "elevator",
    areas: list[int] | None = None,
    expires: date | None = None,
    starts: time = time(0, 0),
    ends: time = time(0, 0),
) -> int:
    """Add a technician who covers both areas and is always on shift unless told otherwise."""
    staff = await _id(
        conn, "INSERT INTO staff (code, name, phone) VALUES (%s, %s, '138') RETURNING id", code, code.upper()
    )
    await conn.execute("INSERT INTO staff_skill VALUES (%s, %s, 'L-1', %s)", (staff, skill, expires))
    for area in [world.east, world.west] if areas is None else areas:
        await conn.execute("INSERT INTO staff_area VALUES (%s, %s)", (staff, area))
    for weekday in range(1, 8):
        await conn.execute("INSERT INTO shift VALUES (%s, %s, %s, %s)", (staff, weekday, starts, ends))
    world.technicians[code] = staff
    world.accounts[code] = await _id(
        conn,
        "INSERT INTO account (login, name, role, staff_id) VALUES (%s, %s, 'technician', %s) RETURNING id",
        code,
        code.upper(),
        staff,
    )
    return staff


async def add_order(
    conn: AsyncConnection,
    world: World,
    now: datetime = MORNING,
    *,
    severity: Severity = "major",
    checklist: tuple[ChecklistItem, ...] = (GAP, LEVEL),
) -> int:
    """Open an order on the elevator."""
    return await open_order(
        conn,
        NewOrder(
            community_id=world.community,
            asset_id=world.elevator,
            kind="elevator_repair",
            skill="elevator",
            severity=severity,
            title=Text(zh="关门故障", en="Door does not close"),
            checklist=checklist,
        ),
        now,
    )


async def status_of(conn: AsyncConnection, order_id: int) -> str:
    """The order's status."""
    cursor = await conn.execute("SELECT status FROM work_order WHERE id = %s", (order_id,))
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def offers_of(conn: AsyncConnection, order_id: int) -> list[tuple[str, int, str]]:
    """The order's offers: whom, slot, what became of it."""
    cursor = await conn.execute(
        "SELECT s.code, f.slot, f.status FROM offer AS f JOIN staff AS s ON s.id = f.staff_id"
        " WHERE f.order_id = %s ORDER BY f.id",
        (order_id,),
    )
    return await cursor.fetchall()
