"""A browser without a screen: signs in, keeps cookies, sends each form's token."""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from aiohttp import ClientResponse, CookieJar
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer
from psycopg_pool import AsyncConnectionPool

from config.clock import Clock
from tests.town import PASSWORD, QUICK
from web.app import create_app
from web.passwords import Passwords

_TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)">')


def tap(**fields: str) -> dict[str, str]:
    """What a form carries besides its own fields: a name that no other tap has."""
    return {"request_id": uuid4().hex, **fields}


class Browser:
    """One reader of a running application."""

    def __init__(self, server: BaseTestServer) -> None:
        self.client: TestClient[Any, None] = TestClient(server, cookie_jar=CookieJar(unsafe=True))
        self.csrf = ""
        self._streams: list[ClientResponse] = []

    async def __aenter__(self) -> Self:
        await self.client.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._streams:
            stream.close()
        await self.client.session.close()

    async def stream(self, path: str) -> ClientResponse:
        """Open a stream that is closed with this browser."""
        response = await self.client.get(path)
        self._streams.append(response)
        return response

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Load a page; its token is used by the next form."""
        async with self.client.get(path, allow_redirects=False, headers=headers) as response:
            text = await response.text()
        found = _TOKEN.search(text)
        if found:
            self.csrf = found[1]
        return response.status, text

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> ClientResponse:
        """Send a form; the answer is read whole and redirects are not followed."""
        data = {"csrf": self.csrf, **fields}
        async with self.client.post(path, data=data, allow_redirects=False, headers=headers) as response:
            await response.read()
        return response

    async def sign_in(self, login: str, password: str = PASSWORD, *, then: str = "/") -> ClientResponse:
        """Sign in by the form."""
        await self.get("/sign-in")
        response = await self.post("/sign-in", {"login": login, "password": password, "next": then})
        if response.status == 303:
            await self.get("/account")
        return response


def serve(pool: AsyncConnectionPool, clock: Clock, **more: Any) -> TestServer:  # noqa: ANN401 - as create_app has them
    """Serve the pages on a free loopback port; argon2 with parameters that cost a test nothing."""
    return TestServer(create_app(pool, clock, passwords=Passwords(QUICK), **more), host="127.0.0.1")
