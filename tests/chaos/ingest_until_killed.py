"""A gateway process for tests that kill it: the real pipeline, on a session whose acknowledging may be fatal.

`python -m tests.chaos.ingest_until_killed DATABASE-URL MQTT-URL COMMITS` dies by SIGKILL after its COMMITS-th
COMMIT and before the acknowledgement; with 0 it runs on.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable

from clerestory.ingest import Ingest
from clerestory.pipeline import Pipeline
from config.profiles import load_profiles
from gateway.delivery import Delivery
from gateway.registry import Registry
from gateway.session import Session
from rules.versions.living import Rules
from storage.pool import open_pool
from tests.integration.gateway_world import WINDOW
from tests.manual_clock import ManualClock

NAME = "gateway-chaos"
BATCH = 40


class DeadlySession(Session):
    """Acknowledges all batches but the last, which kills."""

    commits_left = 0

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        self.commits_left -= 1
        if self.commits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        super().acknowledge(deliveries)


async def run(database_url: str, mqtt_url: str, commits: int) -> None:
    clock = ManualClock()
    async with open_pool(database_url) as pool, DeadlySession(mqtt_url, NAME, clock) as session:
        session.commits_left = commits
        ingest = Ingest(pool, Registry(load_profiles()), Rules(), WINDOW, clock)
        await Pipeline(session, ingest, largest_batch=BATCH).run()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
