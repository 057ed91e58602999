"""One act of a command on the site's database: whole, in one transaction, or one line that says why not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from psycopg import AsyncConnection

from clerestory.site import Site, open_site
from config.clock import SystemClock
from config.settings import load_settings

T = TypeVar("T")


def act_on_site(act: Callable[[AsyncConnection, Site], Awaitable[T]], *refusals: type[Exception]) -> T:
    """Do it on the site that the settings describe; a refusal ends the command with its own words."""

    async def in_transaction() -> T:
        async with (
            open_site(load_settings(), SystemClock(), broker=False) as site,
            site.pool.connection() as conn,
            conn.transaction(),
        ):
            return await act(conn, site)

    try:
        return asyncio.run(in_transaction())
    except refusals as refused:
        raise click.ClickException(str(refused)) from None
