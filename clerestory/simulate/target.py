"""Whom a simulation speaks for: the running site's broker, and the devices of one of its communities."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from psycopg import AsyncConnection

from clerestory import store
from clerestory.simulate.bins import Collection
from clerestory.simulate.timeline import Report
from clerestory.site import open_site
from config.clock import Clock
from config.settings import Settings
from gateway.link import LinkFailed
from gateway.publisher import Publisher
from storage.notify import notify


class NothingToSpeakFor(LookupError):
    """There is no broker, community or device to simulate; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A community to speak for."""

    conn: AsyncConnection
    community: str
    community_id: int


def broker_url(settings: Settings, given: str | None) -> str:
    """The broker that was named, or the one that runs in the data directory."""
    if given and (urlsplit(given).scheme not in {"mqtt", "mqtts"} or not urlsplit(given).hostname):
        raise NothingToSpeakFor(f"--mqtt {given}: right would be mqtt://USER:PASSWORD@HOST:1883, or mqtts://")
    if given or settings.mqtt_url:
        return given or settings.mqtt_url or ""
    for place in (settings.data_dir, settings.data_dir / "demo"):
        port = place / "broker" / "port"
        if port.exists():
            return f"mqtt://127.0.0.1:{port.read_text(encoding='utf-8').strip()}"
    raise NothingToSpeakFor(
        f"no broker is known: start `clerestory up` or `clerestory demo` on {settings.data_dir}, "
        "set CLERESTORY_MQTT_URL, or give --mqtt"
    )


@asynccontextmanager
async def speaking(url: str) -> AsyncIterator[Publisher]:
    """A publisher whose broker has answered once: one that never did is not restarting, it is not there."""
    async with Publisher(url) as publisher:
        try:
            await publisher.connect()
        except LinkFailed as error:
            raise NothingToSpeakFor(
                f"{error}; start `clerestory up` or `clerestory demo`, or check --mqtt"
            ) from error
        yield publisher


def site_settings(settings: Settings) -> Settings:
    """The settings of the site whose devices are meant: the demo's where only a demo lives here."""
    demo = settings.data_dir / "demo"
    if settings.database_url is None and not _has_site(settings.data_dir) and _has_site(demo):
        return settings.model_copy(update={"data_dir": demo})
    return settings


def _has_site(directory: Path) -> bool:
    return (directory / "postgres").exists()


@asynccontextmanager
async def open_target(settings: Settings, clock: Clock, community: str) -> AsyncIterator[Target]:
    """Open the site beside whatever runs on it, and find the community."""
    async with (
        open_site(site_settings(settings), clock, broker=False) as site,
        site.pool.connection() as conn,
    ):
        community_id = await store.community_id_of(conn, community)
        if community_id is None:
            raise NothingToSpeakFor(f"there is no community {community!r}; load it: clerestory load FILE")
        yield Target(conn, community, community_id)


async def bins_for(target: Target, collections: Iterable[Collection], *, register: bool) -> Mapping[str, str]:
    """Which device speaks for each recorded site: the community's own bins in order, or new ones."""
    names = {each.site: each.name for each in collections}
    if register:
        bins = {f"S{site}": name for site, name in names.items()}
        made = await store.register_bins(target.conn, target.community_id, bins)
        if made:
            await notify(target.conn, "registry", made, target.community_id)
        return {site: f"S{site}" for site in names}
    sensors = await store.sensors(target.conn, target.community_id)
    codes = [sensor.code for sensor in sensors if sensor.profile == "bin-native"]
    if not codes:
        raise NothingToSpeakFor(
            f"community {target.community!r} has no bin with profile bin-native; --register makes some"
        )
    return dict(zip(sorted(names), codes, strict=False))


async def radios_for(target: Target) -> dict[str, str]:
    """The DevEUI that speaks for each recorded model, from the first device of its profile."""
    radios: dict[str, str] = {}
    for sensor in await store.sensors(target.conn, target.community_id):
        if sensor.dev_eui is not None:
            radios.setdefault(sensor.profile.removeprefix("milesight-"), sensor.dev_eui)
    return radios


async def elevator_for(target: Target) -> str:
    """The first elevator that speaks natively."""
    for sensor in await store.sensors(target.conn, target.community_id):
        if sensor.profile == "elevator-native":
            return sensor.code
    raise NothingToSpeakFor(f"community {target.community!r} has no device with profile elevator-native")


def renamed(reports: Iterable[Report], names: Mapping[str, str]) -> Iterable[Report]:
    """The reports of those that have a device here, under its code."""
    for report in reports:
        if report.device in names:
            yield replace(report, device=names[report.device])
