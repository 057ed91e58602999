"""The stream that open pages listen to: `GET /events`."""

import asyncio
import time
from typing import Final

from aiohttp import hdrs, web

from web import store
from web.access import require
from web.house import house_of, now_of
from web.live import ALIVE_SECONDS, EVERYTHING, MERGE_SECONDS, Subscriber, encode
from web.session import SESSION

_RETRY: Final = b"retry: 2000\n\n"
_ALIVE: Final = b": alive\n\n"


def routes() -> list[web.RouteDef]:
    """Return the stream's route."""
    return [web.get("/events", events, allow_head=False)]


@require()
async def events(request: web.Request) -> web.StreamResponse:
    """Tell this browser what changed, until it goes, its session ends, or the server stops."""
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", "X-Accel-Buffering": "no"})
    with house_of(request).hub.subscribe(request[SESSION].account) as subscriber:
        await response.prepare(request)
        # Whatever changed between the page and its stream is unknown: the page loads its live parts once.
        await response.write(_RETRY + encode(EVERYTHING, ()))
        looked = time.monotonic()
        while not subscriber.closed:
            # A stream on which there is always something to say ends with its session too.
            if time.monotonic() - looked >= ALIVE_SECONDS:
                looked = time.monotonic()
                if await _ended(request):
                    break
            try:
                await _next(response, subscriber)
            except ConnectionResetError:
                break
    return response


async def _next(response: web.StreamResponse, subscriber: Subscriber) -> None:
    try:
        async with asyncio.timeout(ALIVE_SECONDS):
            await subscriber.ready.wait()
    except TimeoutError:
        await response.write(_ALIVE)
        return
    told = subscriber.take(time.monotonic())
    await response.write(b"".join(encode(what, ids) for what, ids in told))
    await asyncio.sleep(MERGE_SECONDS)  # changes meanwhile arrive together


async def _ended(request: web.Request) -> bool:
    house = house_of(request)
    async with house.pool.connection() as conn:
        return await store.session(conn, request[SESSION].token_hash, now_of(request)) is None
