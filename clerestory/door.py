"""Serving HTTP at an address that the settings name, or saying why it cannot be."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from config.settings import Settings

SHUTDOWN_SECONDS: Final = 5.0


class CannotServe(RuntimeError):
    """Nothing can be served at the address that a setting names."""

    def __init__(self, variable: str, address: str, why: str) -> None:
        super().__init__(
            f"{variable}={address}: {why}; choose an address and port of this machine that is free"
        )
        self.variable = variable
        self.address = address


def written(host: str, port: int) -> str:
    """Write an address as settings and browsers do."""
    return f"{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def door_at(app: web.Application, variable: str, host: str, port: int) -> AsyncIterator[str]:
    """Serve an application; yields the address it is reached at on this machine, or raises `CannotServe`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise _cannot_serve(variable, host, port, error) from error
        yield f"http://{written(*runner.addresses[0][:2])}"
    finally:
        await runner.cleanup()


async def try_address(settings: Settings) -> None:
    """Raise `CannotServe` where an address is taken: better said before anything else starts."""
    await _try("CLERESTORY_HTTP", settings.http_host, settings.http_port)
    await try_metrics(settings)


async def try_metrics(settings: Settings) -> None:
    """Raise `CannotServe` where the address for figures is set, and taken."""
    if settings.metrics_address is not None:
        await _try("CLERESTORY_METRICS", *settings.metrics_address)


async def _try(variable: str, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    try:
        door = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    except OSError as error:
        raise _cannot_serve(variable, host, port, error) from error
    door.close()
    await door.wait_closed()


def _cannot_serve(variable: str, host: str, port: int, error: OSError) -> CannotServe:
    why = os.strerror(error.errno) if error.errno else str(error)
    return CannotServe(variable, written(host, port), why)
