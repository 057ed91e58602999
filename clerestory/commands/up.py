"""`clerestory up`: the whole house in one process, for a small site."""

import asyncio

import click

from clerestory.door import try_address
from clerestory.failures import say_failures
from clerestory.logs import begin_logging
from clerestory.processes import run_all
from clerestory.seeing.listener import seen
from clerestory.site import open_site
from clerestory.stopping import stop_on_signals
from config.clock import SystemClock
from config.settings import Settings, load_settings, without_password


@click.command()
@say_failures
def up() -> None:
    """Run gateway, worker and pages in one process until Ctrl-C or SIGTERM.

    Without CLERESTORY_DATABASE_URL and CLERESTORY_MQTT_URL it starts its own database and broker in
    CLERESTORY_DATA_DIR, and stops them with it.
    """
    settings = load_settings()
    begin_logging(settings)
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    await try_address(settings)
    async with stop_on_signals() as stop, open_site(settings, SystemClock()) as site:
        click.echo(f"pages   {settings.public_url}")
        click.echo(f"broker  {without_password(site.mqtt_url)}")
        click.echo(f"data    {settings.data_dir}")
        click.echo("Ctrl-C stops everything.")
        async with seen(site, "gateway", "worker", "web"):
            await run_all(site, stop)


COMMANDS = [up]
