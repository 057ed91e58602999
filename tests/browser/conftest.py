"""A real Chromium without a screen, and what every page has to pass in it."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Self

import pytest
from aiohttp.test_utils import BaseTestServer
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Locator, Page, async_playwright, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Language
from storage.notify import listen
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock
from tests.scene import Scene, stage
from tests.town import PASSWORD

SCREENSHOTS: Final = Path(__file__).parents[2] / "screenshots"
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_STICKING_OUT: Final = """
    [...document.querySelectorAll("main .card *")].filter((element) => {
        const edge = element.closest(".card").getBoundingClientRect().right;
        return !element.closest(".table-scroll") && element.getBoundingClientRect().right > edge + 1;
    }).slice(0, 3).map((element) => element.outerHTML.slice(0, 120))
"""
WIDTHS: Final = (360, 1280)
# As long as Playwright waits for anything else: how long it takes says how busy the machine is.
expect.set_options(timeout=30_000)
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    """What the pages show; a module may set its own."""
    return await stage(conn, clock.now())


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, scene: Scene, clock: ManualClock, database_url: str
) -> AsyncIterator[BaseTestServer]:
    """The pages over the scene, live."""
    assert scene.town
    async with serve(pool, clock, listen=partial(listen, database_url)) as running:
        yield running


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; skipped, saying so, where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (apt install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@dataclass
class Reader:
    """Somebody at a browser of one width, in one language; collects what pages get wrong."""

    page: Page
    server: BaseTestServer
    language: Language
    width: int
    troubles: list[str] = field(default_factory=list)

    @classmethod
    async def open(
        cls, chromium: Browser, server: BaseTestServer, language: Language = "zh", width: int = 360, *,
        dark: bool = False, scripts: bool = True,
    ) -> Self:  # fmt: skip
        """Open a fresh browser window of that width."""
        context = await chromium.new_context(
            viewport={"width": width, "height": 800 if width > 600 else 740},
            locale="zh-CN" if language == "zh" else "en-GB",
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            base_url=str(server.make_url("/")),
        )
        reader = cls(await context.new_page(), server, language, width)
        reader.page.on(
            "console", lambda said: reader._note(f"{said.type}: {said.text}", said.type == "error")
        )
        reader.page.on("pageerror", lambda error: reader._note(f"script failed: {error}", wrong=True))
        return reader

    def _note(self, said: str, wrong: bool) -> None:  # noqa: FBT001 - called by the browser's events
        if wrong:
            self.troubles.append(f"{self.page.url}: {said}")

    async def sign_in(self, login: str) -> None:
        """Sign in by the form, and take this window's language."""
        await self.page.goto("/sign-in")
        await self.page.fill("input[name=login]", login)
        await self.page.fill("input[name=password]", PASSWORD)
        await self.follow("form.sign-in-form button")
        if await self.page.get_attribute("html", "lang") != {"zh": "zh-CN", "en": "en"}[self.language]:
            await self.page.click("details.menu > summary")
            await self.follow(f"details.menu button[value={self.language}]")

    async def follow(self, what: str | Locator) -> None:
        """Press what leads to another page, and wait until that is there."""
        async with self.page.expect_navigation():
            await (self.page.locator(what) if isinstance(what, str) else what).click()

    async def look(self, path: str, name: str, *, status: int = 200) -> None:
        """Open a page, take its picture, and note what is wrong with it."""
        answer = await self.page.goto(path)
        assert answer is not None
        if answer.status != status:
            self.troubles.append(f"{path}: answered {answer.status}, not {status}")
        await self.check(name)

    async def check(self, name: str) -> None:
        """Take a picture; note what sticks out and what a screen reader would stumble over."""
        page = self.page
        shown = f"{name}-{self.language}-{self.width}"
        SCREENSHOTS.mkdir(exist_ok=True)
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(path=SCREENSHOTS / f"{shown}.png", full_page=True, animations="disabled")
        wide = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if wide > 0:
            self.troubles.append(f"{shown}: {wide} px wider than the window")
        out = await page.evaluate(_STICKING_OUT)
        self.troubles += [f"{shown}: sticks out of its card: {html}" for html in out]
        results = await Axe().run(page)
        self.troubles += [
            f"{shown}: {found['impact']}: {found['id']}: {[node['html'] for node in found['nodes']][:3]}"
            for found in results.response["violations"]
            if found["impact"] in {"serious", "critical"}
        ]

    async def close(self) -> None:
        """Close the window."""
        await self.page.context.close()
