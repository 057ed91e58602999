"""What people write over real HTTP with characters no screen shows: refused by name, or kept without."""

from dataclasses import dataclass

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection, sql

from config.text import Text, printable
from dispatch.refusals import BadField
from tests.integration.web_client import Browser, tap
from tests.scene import Scene
from web.desk_open import beside

FINISHED = {"check.doors": "yes", "check.door_gap_mm": "3,2", "labour_minutes": "45", "result": "fixed"}
NEW = {"kind": "elevator_repair", "skill": "elevator", "severity": "major"}
MUTED = {"place": "home", "rule": "", "seconds": "3600"}


@dataclass(frozen=True)
class Door:
    """A form with a free text: who sends it, where, and where the answer says what is wrong.

    Without a fault's id the text is kept without what cannot be shown.
    """

    login: str
    path: str
    field: str
    more: dict[str, str]
    fault: str | None


DOORS = {
    "what a resident asks": Door(
        "ann", "/requests/new", "body", {"kind": "repair", "unit": "{B1-101}"}, None
    ),
    "the remark of a finished job": Door("wang", "/work/{working}/complete", "remark.doors", FINISHED, None),
    "the summary of a finished job": Door("wang", "/work/{working}/complete", "summary", FINISHED, None),
    "why a job is declined": Door("zhao", "/work/{trapped}/decline", "reason", {}, ""),
    "how the work goes": Door("wang", "/work/{working}/progress", "words", {}, ""),
    "the title at the desk": Door("dispatcher", "/desk/new", "title_zh", NEW | {"asset": "{L1}"}, "title_zh"),
    "the steps at the desk": Door(
        "dispatcher", "/desk/new", "todo_en", NEW | {"asset": "{L1}", "title_zh": "门"}, "todo_en"
    ),
    "who is on an alarm": Door(
        "dispatcher", "/alarms/{alarm}/acknowledge", "words", {"seconds": "1800"}, "ack-words"
    ),
    "why an alarm is muted": Door(
        "dispatcher", "/alarms/{alarm}/mute", "why", {"scope": "rule_asset", "seconds": "3600"}, "mute-why"
    ),
    "why a place is muted": Door("dispatcher", "/alarms/mutes", "why", MUTED, "why"),
    "why it is an emergency": Door(
        "dispatcher", "/alarms/emergencies", "reason", {"community": "home", "kind": "storm"}, "reason"
    ),
}


async def kept(conn: AsyncConnection, pattern: str) -> list[str]:
    """The tables that keep such a text, as it is or within JSON."""
    rows = await conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    each = sql.SQL("SELECT {name} WHERE EXISTS (SELECT FROM {table} AS t WHERE t::text ~ %(pattern)s)")
    query = sql.SQL(" UNION ALL ").join(
        each.format(name=sql.Literal(name), table=sql.Identifier(name)) for (name,) in await rows.fetchall()
    )
    return [name for (name,) in await (await conn.execute(query, {"pattern": pattern})).fetchall()]


@pytest.mark.parametrize("hostile", ["\x07", "\v", "\x1b[31m"], ids=ascii)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
async def test_nothing_that_no_screen_shows_is_kept(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection, door: Door, hostile: str
) -> None:
    names = scene.numbers | {"alarm": scene.alarms["bin_overflow"]} | scene.town.units | scene.town.assets
    words = f"第一句\n第二{hostile}句"
    fields = {name: value.format_map(names) for name, value in door.more.items()} | {door.field: words}
    async with Browser(server) as browser:
        await browser.sign_in(door.login)
        answer = await browser.post(door.path.format_map(names), tap(**fields))
        text = await answer.text()
    # The database has a regular expression's own signs for them, and JSON its escapes.
    assert await kept(conn, r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|\\u00[01]") == []
    if door.fault is None:
        assert answer.status == 303
        left = printable(hostile).replace("[", r"\[")
        assert await kept(conn, rf"第一句(\n|\\+n)第二{left}句"), "the rest is kept, with its lines"
    else:
        assert answer.status == 422
        assert f"U+{ord(hostile[0]):04X}" in text
        assert not door.fault or f'id="fault-{door.fault}"' in text
        assert await kept(conn, "第一句") == []


async def test_an_emergency_is_not_ended_with_such_words(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection
) -> None:
    assert scene.numbers
    async with Browser(server) as browser:
        await browser.sign_in("dispatcher")
        declared = tap(community="home", kind="storm", reason="台风\n红色预警")
        assert (await browser.post("/alarms/emergencies", declared)).status == 303
        answer = await browser.post("/alarms/emergencies/home/end", tap(reason="过\x07去"))
        text = await answer.text()
    assert answer.status == 422
    assert text.count("U+0007") == 1
    assert 'id="fault-end-' in text
    assert await kept(conn, "去$|\x07") == []
    assert "emergency" in await kept(conn, r"台风\n红色预警")


def test_what_dispatch_refuses_of_an_order_stands_beside_its_field() -> None:
    right = Text(zh="不对", en="wrong")
    assert beside(BadField("title.zh", "x", right)) == {"title_zh": right}
    assert beside(BadField("todo.en", "x", right)) == {"todo_en": right}
    assert beside(BadField("due_on", "x", right))["asset"].en == "due_on = 'x': wrong"
