"""The figures of the whole installation, for the process that tells them: read at most every few seconds."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Final

from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from psycopg import Error
from psycopg_pool import PoolTimeout

from clerestory.site import Site
from web import operations_store
from web.operations_store import House

FRESH_SECONDS: Final = 4.0
ASK_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class HouseFigures:
    """Reads them when asked, unless they were read a moment ago."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = asyncio.Lock()
        self._read = float("-inf")
        self._house: House | None = None

    async def read(self) -> House | None:
        """Give the figures; None where the database does not answer: no figure is better than an old one."""
        async with self._lock:
            if monotonic() - self._read > FRESH_SECONDS:
                self._house = await self._ask()
                self._read = monotonic()
            return self._house

    async def _ask(self) -> House | None:
        try:
            async with asyncio.timeout(ASK_SECONDS), self._site.pool.connection(ASK_SECONDS) as conn:
                return await operations_store.house(conn, self._site.clock.now())
        except (TimeoutError, Error, PoolTimeout, OSError) as error:
            log.warning(
                "the figures of the house cannot be read: %s", str(error).strip() or "no answer in time"
            )
            return None


def house_metrics(house: House | None) -> Iterator[Metric]:
    """Give what waits, what is late and what is wrong."""
    yield _one("house_readable", "1 where the database answered this scrape.", house is not None)
    if house is None:
        return
    yield _many("alarms_live", "Alarms that have not ended, by severity.", "severity", house.alarms)
    yield _many("orders_live", "Orders that are not over, by status.", "status", house.orders)
    yield _many("orders_late", "Orders by the missed deadline that presses.", "deadline", house.late)
    yield _one("orders_escalated", "Orders the office was asked to look at.", house.escalated)
    yield _one("outbox_waiting", "Messages the broker has not acknowledged.", house.outbox)
    yield _one("outbox_oldest_seconds", "Age of the oldest of them.", house.outbox_age)
    yield _one("dead_letters_waiting", "Refused messages that nobody has dealt with.", house.letters)
    yield _one("timers_overdue", "Devices whose timer should have run.", house.timers)
    yield _one("timers_overdue_oldest_seconds", "How long the oldest of them is overdue.", house.timer_age)


def _one(name: str, about: str, value: float) -> Metric:
    return Gauge(f"clerestory_{name}", about, value=float(value))


def _many(name: str, about: str, label: str, values: Mapping[str, int]) -> Metric:
    family = Gauge(f"clerestory_{name}", about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
