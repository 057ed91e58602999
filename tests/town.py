"""A small town for tests of pages: two communities, residents, staff, accounts, work done, bills."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

from argon2 import PasswordHasher
from PIL import Image
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from billing.period import Period
from billing.run import run_bills
from config.checklist import ChecklistItem
from config.text import Text
from dispatch import moves, office, orders, photos, records
from dispatch.checklist import CheckAnswer
from dispatch.people import By

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
QUICK_HASH = QUICK.hash(PASSWORD)
OCTOBER = Period(2026, 10)
FIRST = date(2026, 1, 1)

CHECKLIST = (
    ChecklistItem(
        code="doors", name=Text(zh="层门、轿门与门锁正常", en="Landing doors, car door and locks work")
    ),
    ChecklistItem(
        code="levelling_mm",
        name=Text(zh="平层误差", en="Levelling error"),
        type="number",
        unit="mm",
        min=-10,
        max=10,
    ),
)
"""What an elevator's maintenance checks."""


@dataclass(slots=True)
class Town:
    """Ids by the codes people use: `home` has the residents ann (B1-101) and bob (B1-102), `far` has eve."""

    communities: dict[str, int] = field(default_factory=dict)
    areas: dict[str, int] = field(default_factory=dict)
    buildings: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    assets: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    staff: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)

    def by(self, code: str) -> By:
        """Return a technician's tap."""
        return By(account_id=self.accounts[code], staff_id=self.staff[code])


async def _id(conn: AsyncConnection, query: str, values: dict[str, Any]) -> int:
    row = await (await conn.execute(query, values)).fetchone()
    assert row is not None
    found: int = row[0]
    return found


async def build(conn: AsyncConnection) -> Town:
    """Build the town: elevator L1 and lobby G1 in home's building B1, elevator L9 in far's."""
    town = Town()
    for code, zh, en in (("home", "明月苑", "Mingyue Court"), ("far", "远山居", "Far Hills")):
        await _community(conn, town, code, zh, en)
    for code, home, unit in (("ann", "home", "B1-101"), ("bob", "home", "B1-102"), ("eve", "far", "B9-101")):
        await _resident(conn, town, code, home, unit)
    for code, name, home in (("wang", "王建国", "home"), ("zhao", "赵海", "home"), ("qian", "钱勇", "far")):
        await _technician(conn, town, code, name, home)
    for code, home, building, kind, zh, en in (
        ("L1", "home", "B1", "elevator", "1号楼1号梯", "Building 1, elevator 1"),
        ("G1", "home", "B1", "lobby", "1号楼公共区域", "Common parts of building 1"),
        ("L9", "far", "B9", "elevator", "9号楼1号梯", "Building 9, elevator 1"),
    ):
        await _asset(conn, town, code, home, building, kind, zh, en)
    for role in ("administrator", "manager", "dispatcher", "finance"):
        await _account(conn, town, role, role, role, communities=[] if role == "administrator" else ["home"])
    await _account(conn, town, "far-desk", "dispatcher", "far-desk", communities=["far"])
    await _account(conn, town, "far-finance", "finance", "far-finance", communities=["far"])
    return town


async def _community(conn: AsyncConnection, town: Town, code: str, zh: str, en: str) -> None:
    community = town.communities[code] = await _id(
        conn,
        """
        INSERT INTO community (code, name_zh, name_en, timezone)
        VALUES (%(code)s, %(zh)s, %(en)s, 'Asia/Shanghai') RETURNING id
        """,
        {"code": code, "zh": zh, "en": en},
    )
    town.areas[code] = await _id(
        conn,
        """
        INSERT INTO area (community_id, code, name_zh, name_en)
        VALUES (%(community)s, 'all', '全区', 'All') RETURNING id
        """,
        {"community": community},
    )
    number = "1" if code == "home" else "9"
    town.buildings[f"B{number}"] = await _id(
        conn,
        """
        INSERT INTO building (community_id, area_id, code, name_zh, name_en)
        VALUES (%(community)s, %(area)s, %(code)s, %(zh)s, %(en)s) RETURNING id
        """,
        {
            "community": community,
            "area": town.areas[code],
            "code": f"B{number}",
            "zh": f"{number}号楼",
            "en": f"Building {number}",
        },
    )
    for position, item in enumerate(_ITEMS):
        await conn.execute(
            """
            INSERT INTO charge_item (community_id, code, name_zh, name_en, basis, price_fen, grade, contract,
                                     standards, composition, from_date, position)
            VALUES (%(community)s, %(code)s, %(zh)s, %(en)s, 'area', %(fen)s, '二级 / grade 2',
                    '物业服务合同 / service contract § 5', %(standards)s, %(composition)s, %(first)s,
                    %(position)s)
            """,
            {
                "community": community,
                "first": FIRST,
                "position": position,
                **item,
                "standards": Jsonb(item["standards"]),
                "composition": Jsonb(item["composition"]),
            },
        )


async def _resident(conn: AsyncConnection, town: Town, code: str, home: str, unit: str) -> None:
    community = town.communities[home]
    town.units[unit] = await _id(
        conn,
        """
        INSERT INTO unit (community_id, building_id, code, floor, floor_area)
        VALUES (%(community)s, %(building)s, %(code)s, 1, 98.5) RETURNING id
        """,
        {"community": community, "building": town.buildings[unit.partition("-")[0]], "code": unit},
    )
    names = {"ann": "安然", "bob": "薄云", "eve": "易文"}
    town.parties[code] = await _id(
        conn,
        """
        INSERT INTO party (community_id, code, name, phone)
        VALUES (%(community)s, %(code)s, %(name)s, '13800000000') RETURNING id
        """,
        {"community": community, "code": code, "name": names[code]},
    )
    await conn.execute(
        """
        INSERT INTO occupancy (unit_id, party_id, role, from_date)
        VALUES (%(unit)s, %(party)s, 'owner', '2020-01-01')
        """,
        {"unit": town.units[unit], "party": town.parties[code]},
    )
    await _account(conn, town, code, "resident", names[code], party=town.parties[code])


async def _technician(conn: AsyncConnection, town: Town, code: str, name: str, home: str) -> None:
    staff = town.staff[code] = await _id(
        conn,
        "INSERT INTO staff (code, name, phone) VALUES (%(code)s, %(name)s, '13900000000') RETURNING id",
        {"code": code, "name": name},
    )
    for skill in ("elevator", "cleaning"):
        await conn.execute(
            "INSERT INTO staff_skill (staff_id, skill) VALUES (%(staff)s, %(skill)s)",
            {"staff": staff, "skill": skill},
        )
    await conn.execute(
        "INSERT INTO staff_area (staff_id, area_id) VALUES (%(staff)s, %(area)s)",
        {"staff": staff, "area": town.areas[home]},
    )
    await conn.execute(
        """
        INSERT INTO shift (staff_id, weekday, starts, ends)
        SELECT %(staff)s, weekday, '00:00', '00:00' FROM generate_series(1, 7) AS weekday
        """,
        {"staff": staff},
    )
    await _account(conn, town, code, "technician", name, staff=staff)


async def _asset(
    conn: AsyncConnection, town: Town, code: str, home: str, building: str, kind: str, zh: str, en: str
) -> None:
    asset = town.assets[code] = await _id(
        conn,
        """
        INSERT INTO asset (community_id, area_id, building_id, class, code, name_zh, name_en,
                           place_zh, place_en)
        VALUES (%(community)s, %(area)s, %(building)s, %(class)s, %(code)s, %(zh)s, %(en)s,
                '东单元', 'east entrance')
        RETURNING id
        """,
        {
            "community": town.communities[home],
            "area": town.areas[home],
            "building": town.buildings[building],
            "class": kind,
            "code": code,
            "zh": zh,
            "en": en,
        },
    )
    if kind == "elevator":
        town.devices[code] = await _id(
            conn,
            """
            INSERT INTO device (community_id, asset_id, code, profile)
            VALUES (%(community)s, %(asset)s, %(code)s, 'elevator-native') RETURNING id
            """,
            {"community": town.communities[home], "asset": asset, "code": f"{code}-S"},
        )


async def _account(
    conn: AsyncConnection,
    town: Town,
    login: str,
    role: str,
    name: str,
    *,
    staff: int | None = None,
    party: int | None = None,
    communities: Sequence[str] = (),
) -> None:
    town.accounts[login] = await _id(
        conn,
        """
        INSERT INTO account (login, name, role, language, password_hash, staff_id, party_id)
        VALUES (%(login)s, %(name)s, %(role)s, 'zh', %(hash)s, %(staff)s, %(party)s) RETURNING id
        """,
        {"login": login, "name": name, "role": role, "hash": QUICK_HASH, "staff": staff, "party": party},
    )
    for code in communities:
        await conn.execute(
            "INSERT INTO account_community VALUES (%(account)s, %(community)s)",
            {"account": town.accounts[login], "community": town.communities[code]},
        )


_ITEMS: list[dict[str, Any]] = [
    {
        "code": "elevator",
        "zh": "电梯运行维护费",
        "en": "Elevator operation and maintenance",
        "fen": 45,
        "standards": [
            {
                "kind": "elevator_maintenance",
                "asset_class": "elevator",
                "times": 2,
                "per": "asset",
                "name": {"zh": "电梯维保", "en": "Elevator maintenance"},
            }
        ],
        "composition": [
            {"name": {"zh": "维保合同", "en": "Maintenance contract"}, "percent": 45},
            {"name": {"zh": "电费", "en": "Electricity"}, "percent": 35},
            {"name": {"zh": "检验与备件", "en": "Inspection and parts"}, "percent": 20},
        ],
    },
    {
        "code": "cleaning",
        "zh": "公共区域保洁费",
        "en": "Cleaning of common parts",
        "fen": 35,
        "standards": [
            {
                "kind": "cleaning",
                "asset_class": "lobby",
                "times": 6,
                "per": "asset",
                "name": {"zh": "楼内保洁", "en": "Cleaning"},
            }
        ],
        "composition": [],
    },
    {
        "code": "management",
        "zh": "综合管理服务费",
        "en": "Management service",
        "fen": 85,
        "standards": [],
        "composition": [{"name": {"zh": "人员费用", "en": "Labour"}, "percent": 100}],
    },
]


def picture(colour: str = "#5d9bd0", size: tuple[int, int] = (640, 480)) -> bytes:
    """Return a photo's bytes."""
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


async def begin_work(
    conn: AsyncConnection,
    town: Town,
    asset: str,
    at: datetime,
    *,
    kind: str = "elevator_maintenance",
    technician: str = "wang",
    photo: bytes | None = None,
    checklist: tuple[ChecklistItem, ...] = CHECKLIST,
) -> int:
    """Open an order and have it accepted, with the technician on the spot; its id."""
    community = "far" if asset == "L9" else "home"
    by, skill = town.by(technician), "elevator" if kind.startswith("elevator") else "cleaning"
    new = orders.NewOrder(
        community_id=town.communities[community],
        asset_id=town.assets[asset],
        kind=kind,
        skill=skill,
        severity="minor",
        title=_MAINTENANCE if skill == "elevator" else _CLEANING,
        checklist=checklist,
    )
    async with conn.transaction():
        order_id = await orders.open_order(conn, new, at)
        await office.assign(
            conn, order_id, town.staff[technician], By(account_id=town.accounts["manager"]), at
        )
        await moves.accept(conn, order_id, by, at)
        await moves.set_off(conn, order_id, by, at)
        await moves.arrive(conn, order_id, by, at)
        if photo is not None:
            await photos.add(conn, order_id, by, photos.prepare(photo), at)
    return order_id


async def do_work(
    conn: AsyncConnection,
    town: Town,
    asset: str,
    at: datetime,
    *,
    kind: str = "elevator_maintenance",
    technician: str = "wang",
    summary: Text | None = None,
    photo: bytes | None = None,
    checklist: tuple[ChecklistItem, ...] = CHECKLIST,
) -> int:
    """Have work done from the order to the record; the record's id."""
    order_id = await begin_work(
        conn, town, asset, at, kind=kind, technician=technician, photo=photo, checklist=checklist
    )
    completion = records.Completion(
        answers=tuple(_answer(item) for item in checklist),
        labour_minutes=40,
        parts=(records.Part(name="门机皮带", quantity=1, unit="条"),) if kind.startswith("elevator") else (),
        summary=summary or Text(zh="", en=""),
    )
    async with conn.transaction():
        done = await records.complete(
            conn, order_id, town.by(technician), completion, at + timedelta(minutes=40)
        )
    return done.record_id


_MAINTENANCE = Text(zh="电梯半月维保", en="Half-monthly maintenance")
_CLEANING = Text(zh="楼内每日保洁", en="Daily cleaning of common parts")


def _answer(item: ChecklistItem) -> CheckAnswer:
    return CheckAnswer(code=item.code, value=3.5 if item.type == "number" else True)


async def bill(pool: AsyncConnectionPool, now: datetime, period: Period = OCTOBER) -> dict[str, str]:
    """Issue the bills of a month; their numbers by unit."""
    await run_bills(pool, period, now)
    async with pool.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT unit.code, bill.number FROM bill JOIN unit ON unit.id = bill.unit_id
             WHERE bill.period = %(first)s
            """,
            {"first": period.first},
        )
        return dict(await cursor.fetchall())
