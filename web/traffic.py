"""How many requests were answered, how, and how fast; counted by the request, for /metrics."""

from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from aiohttp import web

from gateway.tally import SECONDS, Spread
from web.access import Handler

STREAM: Final = "/events"


@dataclass(slots=True)
class Traffic:
    """Answers by the first digit of their status, and their times; a live stream is no answer."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: Spread = field(default_factory=lambda: Spread(SECONDS))
    streams: int = 0


TRAFFIC: Final = web.AppKey("traffic", Traffic)


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request with what became of it."""
    traffic = request.app[TRAFFIC]
    if request.path == STREAM:
        traffic.streams += 1
        try:
            return await handler(request)
        finally:
            traffic.streams -= 1
    began, status = perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        traffic.answers[f"{status // 100}xx"] += 1
        traffic.seconds.note(perf_counter() - began)
    return response
