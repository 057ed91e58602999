"""What every handler may use: the pool, the clock, the templates, the live hub."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from config.clock import Clock
from gateway.refusals import Refusal
from rules.book import RuleBook
from rules.versions.living import Rules
from web.i18n import Catalogues
from web.live import LiveHub
from web.passwords import Passwords
from web.templating import Templates

# Takes a dead letter as if it had just arrived; gives why it is refused again, None when it is taken.
Retake = Callable[[int], Awaitable[Refusal | None]]


@dataclass(frozen=True, slots=True)
class House:
    """The parts of one web process. `secure` says that people reach us by https.

    `darkroom` is entered to make a photo small, which takes much memory and a whole core, so few fit in.
    `public_url` is the address by which people open the pages, for labels; empty where none is set.
    `retake` is None where refused messages cannot be tried again from a page.
    `desk_phone` is the number technicians tap to call the desk; empty where none is set.
    """

    pool: AsyncConnectionPool
    clock: Clock
    catalogues: Catalogues
    templates: Templates
    hub: LiveHub
    rules: Rules
    passwords: Passwords
    darkroom: asyncio.Semaphore
    secure: bool
    behind_proxy: bool
    desk_phone: str
    retake: Retake | None
    public_url: str = ""

    @property
    def book(self) -> RuleBook:
        """The rules as this process last knew them."""
        return self.rules.book


HOUSE = web.AppKey("house", House)


def house_of(request: web.Request) -> House:
    """Return the parts this request may use."""
    return request.app[HOUSE]


def now_of(request: web.Request) -> datetime:
    """Return the moment by the house's clock."""
    return house_of(request).clock.now()
