"""Playing a timeline: each report at its moment, or faster, with the moment it is played as its time."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from clerestory.simulate.timeline import Report, payload, topic
from config.clock import Clock
from gateway.link import LinkFailed
from gateway.publisher import Publisher

TRY_AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


def compressed(reports: Iterable[Report], start: datetime, speed: float) -> Iterable[Report]:
    """The same reports from `start` on, `speed` times as close together."""
    first: datetime | None = None
    for report in reports:
        first = first or report.ts
        yield replace(report, ts=start + (report.ts - first) / speed)


async def play(
    publisher: Publisher,
    community: str,
    reports: Iterable[Report],
    clock: Clock,
    *,
    told: Callable[[Report], None] = lambda _: None,
) -> int:
    """Publish each report when its moment has come; returns how many. Late ones are published at once."""
    count = 0
    for report in reports:
        wait = (report.ts - clock.now()).total_seconds()
        if wait > 0:
            await asyncio.sleep(wait)
        await publish(publisher, topic(community, report.device), payload(report))
        told(report)
        count += 1
    return count


async def publish(publisher: Publisher, where: str, what: str, *, retain: bool = False) -> None:
    """Publish until the broker has it, as a device does whose broker is restarting."""
    while True:
        try:
            await publisher.publish(where, what, retain=retain)
        except LinkFailed as error:
            log.warning("%s; trying again in %.0f s", error, TRY_AGAIN_SECONDS)
            await asyncio.sleep(TRY_AGAIN_SECONDS)
        else:
            return


def span(reports: list[Report]) -> timedelta:
    """How long a timeline lasts."""
    return reports[-1].ts - reports[0].ts if reports else timedelta()
