"""`clerestory trace`: the way of one message, from its arrival to the record of the work it caused."""

import asyncio
import re
from collections.abc import Sequence

import click

from clerestory.failures import say_failures
from clerestory.seeing.trace_store import Step, way
from clerestory.site import open_site
from config.clock import SystemClock
from config.settings import Settings, load_settings

SHORTEST = 6
_ID = re.compile(r"[0-9a-f]{6,64}|[0-9A-Za-z-]{6,40}")


@click.command()
@click.argument("ident", metavar="ID")
@say_failures
def trace(ident: str) -> None:
    """Tell what came of one message, oldest first.

    ID is the trace id that log lines, alarms and an order's story carry (or its first six digits or more), or
    an order's number.
    """
    if _ID.fullmatch(ident) is None:
        raise click.BadParameter(
            f"{ident!r}; right would be at least {SHORTEST} of the digits 0-9a-f of a trace id, or an order's"
            " number",
            param_hint="ID",
        )
    steps = asyncio.run(_way(load_settings(), ident))
    if not steps:
        raise click.ClickException(
            f"nothing is kept of {ident}: no message of this id was refused or raised an alarm, and no order"
            " has this number"
        )
    for step in steps:
        about = "  ".join(filter(None, (step.trace, step.order)))
        click.echo(f"{step.at:%Y-%m-%d %H:%M:%S}Z  {step.what}  {about}".rstrip())
        if step.detail:
            click.echo(f"    {step.detail}")


async def _way(settings: Settings, ident: str) -> Sequence[Step]:
    async with open_site(settings, SystemClock(), broker=False) as site, site.pool.connection() as conn:
        return await way(conn, ident)


COMMANDS = [trace]
