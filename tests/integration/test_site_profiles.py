"""A new make of sensor behind a network server: one YAML file, and its uplinks become readings and alarms."""

import json
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.site import open_site
from config.profile_files import ProfileFileError
from config.profiles import use_site_profiles
from config.settings import Settings
from tests.integration.gateway_world import count, make_ingest, make_world, one, said
from tests.manual_clock import START, ManualClock
from tests.unit.test_profile_files import GOOD, WRONG, written

EUI = "1000000000000001"


async def test_an_uplink_is_understood_by_a_sites_own_profile(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock, tmp_path: Path
) -> None:
    await make_world(conn)
    written(tmp_path, GOOD, "acme-bin")
    await conn.execute("UPDATE device SET profile = 'acme-bin' WHERE dev_eui = %(eui)s", {"eui": EUI})
    uplink = {
        "deviceInfo": {"devEui": EUI},
        "time": START.isoformat(),
        "object": {"data": {"distance": 60, "fire": True, "measured": START.timestamp() * 1000 - 5000}},
    }
    sent = said(f"application/a/device/{EUI}/event/up", json.dumps(uplink))
    try:
        use_site_profiles(tmp_path)
        ingest = make_ingest(pool, clock)
        assert await ingest.take([sent]) == [None]
        assert await ingest.take([sent]) == [None]
    finally:
        use_site_profiles(None)
    assert await count(conn, "reading") == 2, "the distance, and the fill worked out from it, once"
    assert await count(conn, "event") == 1
    assert await one(conn, "SELECT count(*) FROM reading WHERE ts = %(at)s", {"at": START}) == 0
    assert await count(conn, "dead_letter") == 0


async def test_a_site_with_wrong_profiles_does_not_start(
    database_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    written(tmp_path, WRONG, "acme-bin")
    settings = Settings(database_url=database_url, profiles_dir=tmp_path)
    with pytest.raises(ProfileFileError, match="distence_mm"):
        async with open_site(settings, clock, broker=False):
            pass
