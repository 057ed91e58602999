"""What the tests of pages begin with: a scene, and the pages served over it. A module may set its own."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests.integration.web_client import serve
from tests.manual_clock import ManualClock
from tests.scene import Scene, stage


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    return await stage(conn, clock.now())


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, scene: Scene, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    assert scene.town
    async with serve(pool, clock) as running:
        yield running
