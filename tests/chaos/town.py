"""The community of a chaos round: its bins, elevators, kiosks, and a bill for each unit."""

from collections.abc import Iterable
from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from billing.run import run_bills
from storage.pool import in_utc, open_pool
from tests.chaos.money import KEYS, KIOSKS, UNITS
from tests.chaos.script import COMMUNITY, Device
from tests.integration.billing_town import OCTOBER, found_town

BILLED_AT = datetime(2026, 11, 1, 2, tzinfo=UTC)


async def prepare(url: str) -> None:
    """Enter what every round needs into a migrated database: it becomes the template of all."""
    async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
        town = await found_town(conn, COMMUNITY)
        for unit in UNITS:
            await town.add_unit(unit, "B1", "100.00", owner=f"owner-{unit}")
        await town.add_item("A", "area", "100")
        await conn.execute(
            "INSERT INTO device (community_id, code, profile, attributes)"
            " SELECT %(community)s, code, 'kiosk', %(attributes)s FROM unnest(%(codes)s::text[]) AS code",
            {
                "community": town.community_id,
                "attributes": Jsonb({"public_key": KEYS.public_key}),
                "codes": list(KIOSKS),
            },
        )
    async with open_pool(url) as pool:
        await run_bills(pool, OCTOBER, BILLED_AT)


async def settle(url: str, devices: Iterable[Device]) -> None:
    """Enter the devices of one round, each on an asset of its own."""
    named = list(devices)
    values = {
        "community": COMMUNITY,
        "codes": [device.code for device in named],
        "classes": [device.asset_class for device in named],
        "profiles": [device.profile or f"{device.asset_class}-native" for device in named],
    }
    async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
        await conn.execute(
            """
            INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
            SELECT community.id, area.id, given.class, given.code, '资产', 'Asset'
              FROM unnest(%(codes)s::text[], %(classes)s::text[]) AS given (code, class)
              JOIN community ON community.code = %(community)s
              JOIN area ON area.community_id = community.id
            """,
            values,
        )
        await conn.execute(
            """
            INSERT INTO device (community_id, asset_id, code, profile)
            SELECT asset.community_id, asset.id, asset.code, given.profile
              FROM unnest(%(codes)s::text[], %(profiles)s::text[]) AS given (code, profile)
              JOIN asset ON asset.code = given.code
              JOIN community ON community.id = asset.community_id AND community.code = %(community)s
            """,
            values,
        )
