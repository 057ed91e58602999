"""One running installation: its database, its broker and its clock, opened and closed in one place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from psycopg_pool import AsyncConnectionPool

from clerestory.seeing.watch import Watch
from config.clock import Clock
from config.profiles import use_site_profiles
from config.settings import Settings
from gateway.broker import open_broker
from rules.book import RuleBook
from rules.versions.living import Rules
from storage.embedded import EmbeddedPostgres, open_database
from storage.migrate import migrate
from storage.pool import open_pool


@dataclass(frozen=True, slots=True)
class Site:
    """What every process of an installation needs. `mqtt_url` is empty where no broker was asked for."""

    settings: Settings
    clock: Clock
    pool: AsyncConnectionPool
    database_url: str
    mqtt_url: str
    rules: Rules = field(default_factory=Rules, compare=False)
    watch: Watch = field(default_factory=Watch, compare=False)

    @property
    def book(self) -> RuleBook:
        """The rules this site runs, as this process last knew them."""
        return self.rules.book


@asynccontextmanager
async def open_site(settings: Settings, clock: Clock, *, broker: bool = True) -> AsyncIterator[Site]:
    """Open the site the settings describe, migrated; where an address is not set, run our own server.

    Our own servers live below the data directory and stop with us, in the opposite order. A process that
    wants no broker is a command beside a running site, and joins that site's database; two whole sites on
    one directory refuse each other.
    """
    use_site_profiles(settings.profiles_dir)
    rules = Rules(settings.rules_dir)  # a mistake in the files is said before anything starts
    async with AsyncExitStack() as stack:
        database_url = settings.database_url
        if database_url is None:
            directory = settings.data_dir / "postgres"
            if broker:
                database_url = (await stack.enter_async_context(EmbeddedPostgres(directory))).url
            else:
                database_url = await stack.enter_async_context(open_database(directory))
        await asyncio.to_thread(migrate, database_url)
        pool = await stack.enter_async_context(open_pool(database_url))
        mqtt_url = settings.mqtt_url or ""
        if broker and not mqtt_url:
            own = await stack.enter_async_context(open_broker(settings.data_dir / "broker"))
            mqtt_url = own.url
        async with pool.connection() as conn:
            await rules.refresh(conn)
        yield Site(settings, clock, pool, database_url, mqtt_url, rules)
