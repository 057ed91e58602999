"""A small town to bill, entered row by row: two buildings, elevators and bins, one kiosk with a key."""

from base64 import b64decode
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from psycopg import AsyncConnection
from psycopg.rows import scalar_row
from psycopg.types.json import Jsonb

from billing.kiosk import pay
from billing.period import Period
from billing.signing import JsonValue, KeyPair, canonical, key_pair_of, sign
from gateway.kiosk import KioskPayment, Method
from gateway.outbox import OutboxMessage
from gateway.signals import Device

OCTOBER = Period(2026, 10)
NOVEMBER_1 = datetime(2026, 11, 1, 2, tzinfo=UTC)
KEYS = key_pair_of(b"k" * 32)

ELEVATOR_CARE = {
    "kind": "elevator_maintenance",
    "asset_class": "elevator",
    "times": 2,
    "per": "asset",
    "name": {"zh": "电梯维保", "en": "elevator maintenance"},
    "credit_fen": 200,
}
CLEANING = {
    "kind": "cleaning",
    "asset_class": "lobby",
    "times": 3,
    "per": "scope",
    "name": {"zh": "保洁", "en": "cleaning"},
    "credit_fen": 0,
}


@dataclass(slots=True)
class Town:
    """A community with what the tests need to find again."""

    conn: AsyncConnection
    community_id: int
    code: str
    area_id: int
    buildings: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    assets: dict[str, int] = field(default_factory=dict)
    records: int = 0

    async def add_building(self, code: str) -> None:
        self.buildings[code] = await insert(
            self.conn,
            "building",
            community_id=self.community_id,
            area_id=self.area_id,
            code=code,
            name_zh=f"{code} 栋",
            name_en=f"Building {code}",
        )

    async def add_unit(self, code: str, building: str, floor_area: str = "100.00", owner: str = "") -> None:
        self.units[code] = await insert(
            self.conn,
            "unit",
            community_id=self.community_id,
            building_id=self.buildings[building],
            code=code,
            floor=1,
            floor_area=Decimal(floor_area),
        )
        if owner:
            await self.add_occupancy(code, owner, "owner", date(2020, 1, 1))

    async def add_occupancy(
        self, unit: str, party: str, role: str, from_date: date, to_date: date | None = None
    ) -> None:
        if party not in self.parties:
            self.parties[party] = await insert(
                self.conn, "party", community_id=self.community_id, code=party, name=f"{party} 先生"
            )
        await self.conn.execute(
            """INSERT INTO occupancy (unit_id, party_id, role, from_date, to_date)
               VALUES (%(unit)s, %(party)s, %(role)s, %(from_date)s, %(to_date)s)""",
            {
                "unit": self.units[unit],
                "party": self.parties[party],
                "role": role,
                "from_date": from_date,
                "to_date": to_date,
            },
        )

    async def add_item(
        self,
        code: str,
        basis: str,
        price_fen: str,
        *,
        standards: tuple[dict[str, object], ...] = (),
        measure: str = "",
        from_date: date = date(2026, 1, 1),
    ) -> int:
        return await insert(
            self.conn,
            "charge_item",
            community_id=self.community_id,
            code=code,
            name_zh=f"{code} 费",
            name_en=f"{code} fee",
            basis=basis,
            price_fen=Decimal(price_fen),
            measure=measure,
            contract=f"合同 {code}",
            standards=Jsonb(list(standards)),
            composition=Jsonb(
                [
                    {"name": {"zh": "人工", "en": "labour"}, "percent": 62.5},
                    {"name": {"zh": "物料", "en": "material"}, "percent": 37.5},
                ]
            ),
            from_date=from_date,
            position=len(code),
        )

    async def add_meter(self, code: str, unit: str, item: str, registers: dict[str, str]) -> None:
        meter_id = await insert(
            self.conn,
            "meter",
            community_id=self.community_id,
            unit_id=self.units[unit],
            charge_item=item,
            code=code,
        )
        for month, register in registers.items():
            await self.conn.execute(
                "INSERT INTO meter_reading (meter_id, period, register) VALUES (%(id)s, %(period)s, %(at)s)",
                {"id": meter_id, "period": Period.parse(month).first, "at": Decimal(register)},
            )

    async def add_asset(self, code: str, asset_class: str, building: str | None) -> None:
        self.assets[code] = await insert(
            self.conn,
            "asset",
            community_id=self.community_id,
            area_id=self.area_id,
            building_id=None if building is None else self.buildings[building],
            **{"class": asset_class},
            code=code,
            name_zh=code,
            name_en=code,
        )

    async def add_record(self, asset: str, kind: str, completed_at: datetime) -> int:
        """A maintenance record as dispatch would leave it; its chain is not what these tests are about."""
        self.records += 1
        order_id = await insert(
            self.conn,
            "work_order",
            community_id=self.community_id,
            number=f"W-{self.code}-{self.records}",
            asset_id=self.assets[asset],
            area_id=self.area_id,
            kind=kind,
            skill=kind,
            severity="minor",
            title_zh=kind,
            title_en=kind,
            status="closed",
            opened_at=completed_at,
        )
        staff_id = await insert(self.conn, "staff", code=f"{self.code}-{self.records}", name="李师傅")
        return await insert(
            self.conn,
            "maintenance_record",
            community_id=self.community_id,
            seq=self.records,
            order_id=order_id,
            asset_id=self.assets[asset],
            kind=kind,
            staff_id=staff_id,
            completed_at=completed_at,
            body="{}",
            prev_hash=str(self.records - 1),
            hash=str(self.records),
        )

    async def bill_no(self, unit: str, period: Period = OCTOBER) -> str:
        return f"{period}-{self.code}-{unit}"

    def kiosk(self, code: str = "K1", keys: KeyPair | None = KEYS) -> Device:
        return Device(
            community_id=self.community_id,
            device_id=0,
            community=self.code,
            code=code,
            profile="kiosk",
            asset_id=None,
            asset_class=None,
            attributes={} if keys is None else {"public_key": keys.public_key},
        )


async def found_town(conn: AsyncConnection, code: str = "garden") -> Town:
    """Enter a community with one area and buildings B1 and B2."""
    community_id = await insert(
        conn, "community", code=code, name_zh="花园", name_en="Garden", timezone="Asia/Shanghai"
    )
    area_id = await insert(
        conn, "area", community_id=community_id, code="A", name_zh="全区", name_en="whole site"
    )
    town = Town(conn, community_id, code, area_id)
    await town.add_building("B1")
    await town.add_building("B2")
    return town


async def insert(conn: AsyncConnection, table: str, **values: object) -> int:
    """Insert one row, and tell its id."""
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"%({name})s" for name in values)
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id",  # noqa: S608 - the tests' own names
            values,
        )
        row_id: int | None = await cursor.fetchone()
        assert row_id is not None
        return row_id


def payment(
    kiosk: Device,
    bill_no: str,
    unit: str,
    amount_fen: int,
    *,
    transaction_id: str = "K1-1",
    method: Method = "wechat",
    keys: KeyPair = KEYS,
) -> KioskPayment:
    """A payment as the gateway hands it over, signed by the kiosk."""
    ts = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
    body: dict[str, JsonValue] = {
        "v": 1,
        "ts": ts.isoformat(),
        "transaction_id": transaction_id,
        "bill_no": bill_no,
        "unit": unit,
        "amount_fen": amount_fen,
        "method": method,
    }
    return KioskPayment(
        device=kiosk,
        received_at=ts,
        ts=ts,
        transaction_id=transaction_id,
        bill_no=bill_no,
        unit=unit,
        amount_fen=amount_fen,
        method=method,
        signature=sign_bytes(body, keys),
        canonical=canonical(body),
    )


def sign_bytes(body: dict[str, JsonValue], keys: KeyPair) -> bytes:
    return b64decode(sign(body, keys.private_key))


async def pay_whole(
    conn: AsyncConnection, message: KioskPayment, now: datetime = NOVEMBER_1
) -> OutboxMessage:
    """Pay in a transaction of its own."""
    async with conn.transaction():
        return await pay(conn, message, now)
