"""A technician who is not there: reads the pages over HTTP and presses their buttons, as a phone would."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from typing import Self
from uuid import uuid4

from aiohttp import ClientSession, CookieJar, FormData
from PIL import Image

JOB_LINK = re.compile(r'href="/work/([^"/?#]+)"')
OK, SEE_OTHER = 200, 303


class PageRefused(RuntimeError):
    """The site answered otherwise than a technician can work with; the message says what and where."""


@dataclass(slots=True)
class _Reader(HTMLParser):
    """Collects what a person would fill in: the token, and each question of the checklist."""

    csrf: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    _question: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "meta" and name == "csrf-token":
            self.csrf = given.get("content") or ""
        elif tag == "fieldset":
            self._question = given
        elif name == "result" and given.get("value") is not None:
            self.results.append(given["value"] or "")
        elif name.startswith("check.") and tag in {"input", "textarea"}:
            self.answers[name] = self._answer(given)

    def _answer(self, given: dict[str, str | None]) -> str:
        if given.get("type") == "radio":
            return self._question.get("data-expected") or "yes"
        low, high = self._question.get("data-min"), self._question.get("data-max")
        if low or high:
            return f"{(float(low or 0) + float(high or low or 0)) / 2:g}"
        return "正常 / fine"


class SimulatedTechnician:
    """One phone: its cookies, and what its owner does with a job."""

    def __init__(self, session: ClientSession, base_url: str) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._csrf = ""

    @classmethod
    @asynccontextmanager
    async def signed_in(cls, base_url: str, login: str, password: str) -> AsyncIterator[Self]:
        """A technician who is signed in for as long as the block lasts."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            technician = cls(session, base_url)
            await technician._read("/sign-in")
            await technician._press("/sign-in", {"login": login, "password": password, "next": "/work"})
            await technician._read("/work")
            yield technician

    async def jobs(self) -> list[str]:
        """The numbers of all jobs on the list, first things first."""
        return list(dict.fromkeys(JOB_LINK.findall(await self._read("/work"))))

    async def job_about(self, asset: str) -> str | None:
        """The number of the job whose page names an asset, None while there is none."""
        for number in await self.jobs():
            if asset in await self._read(f"/work/{number}"):
                return number
        return None

    async def do(self, number: str) -> None:
        """Accept, set off, arrive, photograph, answer the checklist, look at it once more, confirm."""
        for move in ("accept", "set-off", "arrive"):
            await self._read(f"/work/{number}")
            await self._press(f"/work/{number}/{move}", _tap())
        await self._photograph(number)
        page = _Reader()
        page.feed(await self._read(f"/work/{number}"))
        answers = {
            **page.answers,
            "labour_minutes": "15",
            "result": page.results[0] if page.results else "fixed",
            "summary": "已清空并清扫周边 / emptied, and swept around",
        }
        await self._press(f"/work/{number}/review", answers, expected=OK)
        await self._press(f"/work/{number}/complete", {**answers, **_tap()})

    async def _photograph(self, number: str) -> None:
        form = FormData({"csrf": self._csrf, **_tap()})
        form.add_field("photo", _photo(), filename="photo.jpg", content_type="image/jpeg")
        path = f"/work/{number}/photos"
        async with self._session.post(self._base + path, data=form, allow_redirects=False) as response:
            await self._expect(path, response.status, SEE_OTHER, await response.text())

    async def _read(self, path: str) -> str:
        async with self._session.get(self._base + path) as response:
            text = await response.text()
            await self._expect(path, response.status, OK, text)
        reader = _Reader()
        reader.feed(text)
        self._csrf = reader.csrf or self._csrf
        return text

    async def _press(self, path: str, fields: dict[str, str], *, expected: int = SEE_OTHER) -> None:
        data = {"csrf": self._csrf, **fields}
        async with self._session.post(self._base + path, data=data, allow_redirects=False) as response:
            await self._expect(path, response.status, expected, await response.text())

    async def _expect(self, path: str, status: int, expected: int, text: str) -> None:
        if status != expected:
            said = " ".join(re.sub(r"<[^>]*>", " ", text[text.find("<main") :]).split())[:300]
            raise PageRefused(f"{path} answered {status} instead of {expected}: {said}")


def _tap() -> dict[str, str]:
    return {"request_id": uuid4().hex, "device_at": ""}


def _photo() -> bytes:
    """A small picture, another one each time: as photos are."""
    seed = uuid4().bytes
    image = Image.new("RGB", (320, 240), (90 + seed[0] // 4, 120, 90))
    image.paste((40, 60, 40 + seed[1] // 4), (100, 60, 220, 200))
    content = BytesIO()
    image.save(content, "JPEG", quality=80)
    return content.getvalue()
