"""Registering on pages: a device, a sheet, a stranger; passwords shown once; labels and their addresses."""

import asyncio
import base64
import html
import io
import json
import logging
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import FormData
from aiohttp.test_utils import BaseTestServer
from openpyxl import load_workbook
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from gateway.devices import credentials, store
from tests import town as towns
from tests.integration.gateway_world import make_ingest, one, said, up
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from tests.town import Town

EUI = "24e124713c400001"
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
async def town(conn: AsyncConnection) -> Town:
    return await towns.build(conn)


@pytest.fixture
async def server(pool: AsyncConnectionPool, town: Town, clock: ManualClock) -> AsyncIterator[BaseTestServer]:
    assert town
    async with serve(pool, clock, public_url="http://clerestory.example") as running:
        yield running


@pytest.fixture
async def browser(server: BaseTestServer) -> AsyncIterator[Browser]:
    async with Browser(server) as reader:
        assert (await reader.sign_in("manager")).status == 303
        yield reader


def fields(town: Town, **changes: str) -> dict[str, str]:
    return {
        "community": "home",
        "code": "L1-T",
        "profile": "elevator-native",
        "asset": str(town.assets["L1"]),
        "a.floors": "18",
        "note_name": "warranty",
        "note_value": "until 2028",
    } | changes


SEEN = re.compile(r'name="seen" value="(\w+)"')


async def _seen(browser: Browser) -> str:
    _, page = await browser.get("/devices/home/L1-T/edit")
    found = SEEN.search(page)
    assert found is not None
    return found[1]


async def test_a_device_is_added_changed_and_undone(
    browser: Browser, town: Town, conn: AsyncConnection
) -> None:
    wrong = await browser.post("/devices/new", fields(town, code="L1 T", profile="x", **{"a.floors": "many"}))
    assert wrong.status == 422
    text = await wrong.text()
    assert text.count("field-error") >= 2
    assert "L1 T" in text
    foreign = await browser.post("/devices/new", fields(town, asset=str(town.assets["L9"])))
    assert foreign.status == 422, "an asset of a community that is not theirs"
    assert (await browser.post("/devices/new", fields(town, community="far"))).status == 422
    assert (await browser.post("/devices/new", fields(town))).status == 303
    assert (await browser.post("/devices/new", fields(town))).status == 422, "the code is taken"
    device = await store.device_named(conn, "home", "L1-T")
    assert device is not None
    assert device.attributes == {"floors": 18, "note_warranty": "until 2028"}

    first, other = await _seen(browser), await _seen(browser)
    change = fields(town, seen=first, **{"a.floors": "20"})
    assert (await browser.post("/devices/home/L1-T/edit", change)).status == 303
    late = await browser.post("/devices/home/L1-T/edit", fields(town, seen=other, **{"a.floors": "21"}))
    assert late.status == 409, "a form made before somebody else's change does not overwrite it"
    assert (changed := await store.device_named(conn, "home", "L1-T")) is not None
    assert changed.attributes["floors"] == 20
    again = SEEN.search(await late.text())
    assert again is not None
    assert again[1] == await _seen(browser), "saving once more is a decision, and goes through"
    assert (await browser.post("/devices/home/L1-T/edit", fields(town))).status == 409
    _, page = await browser.get("/devices/home/L1-T/manage")
    assert "floors" in page
    changes = await store.changes(conn, device.device_id)
    assert (await browser.post("/devices/home/L1-T/undo", {"change": str(changes[0].id)})).status == 303
    assert (await browser.post("/devices/home/L1-T/undo", {"change": str(changes[0].id)})).status == 409
    assert await store.device(conn, device.device_id) == device
    await conn.execute(
        """
        INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,
                           meaning_en, raised_at, recorded_at)
        SELECT community_id, id, 'x', 'major', '', '', '', '', now(), now() FROM device WHERE code = 'L1-T'
        """
    )
    assert (await browser.post("/devices/home/L1-T/retire", {})).status == 303
    assert await one(conn, "SELECT ended_zh FROM alarm WHERE cleared_at >= raised_at") == "设备已停用"
    assert (await browser.get("/devices/home/L1-T/manage"))[0] == 200
    assert (await browser.post("/devices/home/L1-T/bring-back", {})).status == 303
    assert (await browser.get("/devices/far/L9-S/manage"))[0] == 404


async def test_of_two_who_adopt_at_once_one_does(
    browser: Browser, server: BaseTestServer, town: Town, conn: AsyncConnection
) -> None:
    speaker = "clerestory/home/new-1"
    async with Browser(server) as other:
        await other.sign_in("administrator")
        sent = fields(town, speaker=speaker, code="new-1")
        answers = await asyncio.gather(*(each.post("/devices/new", sent) for each in (browser, other) * 3))
    statuses = [answer.status for answer in answers]
    assert set(statuses) <= {303, 409, 422}
    assert statuses.count(303) == 1
    assert await one(conn, "SELECT count(*) FROM device_change") == 1


async def upload(browser: Browser, content: bytes, name: str = "devices.csv") -> tuple[int, str]:
    form = FormData()
    form.add_field("csrf", browser.csrf)
    form.add_field("file", content, filename=name)
    async with browser.client.post("/devices/import", data=form, allow_redirects=False) as response:
        return response.status, await response.text()


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return html.unescape(found[1])


async def confirm(browser: Browser, page: str) -> tuple[int, str]:
    sent = {"sheet": hidden(page, "sheet"), "digest": hidden(page, "digest")}
    response = await browser.post("/devices/import-confirm", sent)
    return response.status, await response.text()


async def test_a_sheet_is_checked_previewed_and_imported_whole(
    browser: Browser, conn: AsyncConnection
) -> None:
    status, page = await upload(
        browser, "小区,设备编码,型号,资产\nhome,a 1,elevator-native,L7\n".encode("gbk")
    )
    assert status == 422
    assert "<code>B2</code>" in page
    assert "<code>D2</code>" in page
    status, page = await upload(browser, "小区,设备编码,型号,资产\nfar,L9-T,elevator-native,L9\n".encode())
    assert status == 422, "a community that is not theirs"
    sheet = (
        '小区,设备编码,型号,资产,note_at\nhome,L1-T,elevator-native,L1,"=a,b\n二行"\n'
        "home,L1-S,elevator-gbt24476,L1,\n"
    )
    status, page = await upload(browser, sheet.encode())
    assert status == 200
    assert await store.device_named(conn, "home", "L1-T") is None, "a preview changes nothing"
    await conn.execute("UPDATE device SET attributes = '{\"floors\": 9}' WHERE code = 'L1-S'")
    status, page = await confirm(browser, page)
    assert status == 409, "what was previewed is not what would be done"
    status, page = await confirm(browser, page)
    assert status == 200
    device = await store.device_named(conn, "home", "L1-T")
    assert device is not None
    assert device.attributes == {"note_at": "=a,b\n二行"}
    status, page = await upload(browser, sheet.encode())
    assert "import-confirm" not in page, "nothing is left to import"
    for broken in (b"", b"PK\x03\x04", b"\xff\xfe\xff"):
        assert (await upload(browser, broken))[0] == 422


async def test_the_template_and_the_list_are_sheets(browser: Browser) -> None:
    for path in ("/devices/template", "/devices/export"):
        async with browser.client.get(path) as response:
            book = load_workbook(io.BytesIO(await response.read()))
            assert book.worksheets[0]["A1"].value == "小区"
    async with browser.client.get("/devices/export?format=csv") as response:
        content = await response.read()
    assert content.startswith(b"\xef\xbb\xbf")
    assert "L9" not in content.decode()
    status, page = await upload(browser, content)
    assert status == 200
    assert "import-confirm" not in page


async def test_a_character_that_no_workbook_takes_is_refused_and_spoils_no_export(
    browser: Browser, town: Town, conn: AsyncConnection
) -> None:
    refused = await browser.post("/devices/new", fields(town, note_value="until\v2028"))
    assert refused.status == 422
    assert "U+000B" in await refused.text()
    sheet = "小区,设备编码,型号,资产,note_at\nhome,L1-T,elevator-native,L1,三\ufffe楼\n"
    status, page = await upload(browser, sheet.encode())
    assert (status, "U+FFFE" in page) == (422, True)
    await conn.execute(
        "UPDATE device SET attributes = %s WHERE code = 'L1-S'", [Jsonb({"note_old": "a\x0bb\ufffe"})]
    )
    for address in ("/devices/export", "/devices/export?format=xlsx"):
        async with browser.client.get(address) as response:
            assert response.status == 200
            book = load_workbook(io.BytesIO(await response.read()))
        assert "ab" in {cell.value for row in book.worksheets[0].iter_rows() for cell in row}


async def test_strangers_are_shown_harmlessly_adopted_and_ignored(
    browser: Browser, town: Town, conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    ingest = make_ingest(pool, clock)
    uplink = {"deviceInfo": {"devEui": EUI}, "time": clock.now().isoformat(), "object": {"x": HOSTILE}}
    await ingest.take(
        [
            up("new-1", community="home", speed_m_s=1.5),
            said("clerestory/home/<b>\u202e/up", HOSTILE),
            said("clerestory/home/deep/up", b"[" * 60_000),
            said(f"application/1/device/{EUI}/event/up", json.dumps(uplink)),
            up("hidden", community="far", speed_m_s=1.5),
        ]
    )
    status, page = await browser.get("/devices/strangers")
    assert status == 200
    assert "<script>alert" not in page
    assert "\u202e" not in re.sub(r'(value|href)="[^"]*"', "", page)
    assert "hidden" not in re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert page.count('class="card stranger"') == 4
    speaker = "clerestory/home/new-1"
    status, form = await browser.get(f"/devices/new?speaker={speaker}")
    assert status == 200
    chosen = re.search(r'<option value="([^"]+)" selected>[^<]*· (?:能读懂|understands it)', form)
    assert chosen
    assert chosen[1].startswith("elevator")
    assert "<pre" not in (await browser.get("/devices/new?speaker=clerestory/far/hidden"))[1]
    assert (await browser.post("/devices/ignore", {"speaker": "clerestory/far/hidden"})).status == 303
    assert await one(conn, "SELECT count(*) FROM stranger_ignored") == 0
    await browser.post("/devices/ignore", {"speaker": speaker})
    assert speaker not in (await browser.get("/devices/strangers"))[1]
    assert speaker in (await browser.get("/devices/strangers?ignored"))[1]
    await browser.post("/devices/heed", {"speaker": speaker})
    renamed = await browser.post("/devices/new", fields(town, speaker=speaker, code="other"))
    assert renamed.status == 422, "its messages would not be known"
    adopted = await browser.post("/devices/new", fields(town, speaker=speaker, code="new-1"))
    assert adopted.status == 303
    assert await one(conn, "SELECT via FROM device_change") == "adoption"
    assert "hourglass" in (await browser.get("/devices/home/new-1/manage"))[1]


async def test_a_password_is_shown_once_and_written_nowhere(
    browser: Browser, conn: AsyncConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        issued = await browser.post("/devices/home/L1-S/issue", {})
        page = await issued.text()
    assert issued.status == 200
    assert issued.headers["Cache-Control"] == "no-store"
    secret = re.search(r"<code>([a-z2-7]{32})</code>", page)
    assert secret
    assert "label-secret" not in page
    for path in ("/devices/home/L1-S/manage", "/devices/home/L1-S/label", "/devices/labels"):
        assert secret[1] not in (await browser.get(path))[1]
    assert secret[1] not in caplog.text
    device = await store.device_named(conn, "home", "L1-S")
    assert device is not None
    kept = await credentials.of_device(conn, device.device_id)
    assert kept is not None
    salt = kept.hash.split("$")[3]
    assert kept.hash == credentials.hashed(secret[1], base64.b64decode(salt))
    again = await (await browser.post("/devices/home/L1-S/issue", {"on_label": "1"})).text()
    assert "label-secret" in again
    await browser.post("/devices/home/L1-S/revoke", {})
    assert [each.what for each in await credentials.events(conn, kept.id)] == ["revoked", "rotated", "issued"]
    assert [each.who for each in await credentials.events(conn, kept.id)] == ["manager"] * 3


async def test_a_label_leads_each_to_where_they_go(
    browser: Browser, server: BaseTestServer, town: Town, conn: AsyncConnection, clock: ManualClock
) -> None:
    _, page = await browser.get("/devices/labels?q=L1")
    assert page.count('class="label"') == 1
    assert "<svg" in page
    async with browser.client.get("/d/home/L1-S", allow_redirects=False) as response:
        assert response.headers["Location"] == "/devices/home/L1-S"
    assert (await browser.get("/d/far/L9-S"))[0] == 404
    order = await towns.begin_work(conn, town, "L1", clock.now())
    number = await one(conn, "SELECT number FROM work_order WHERE id = %(id)s", {"id": order})
    async with (
        Browser(server) as visitor,
        visitor.client.get("/d/home/L1-S", allow_redirects=False) as response,
    ):
        assert response.headers["Location"] == "/sign-in?next=%2Fd%2Fhome%2FL1-S"
    for login, there in (("wang", f"/work/{number}"), ("zhao", "/work")):
        async with Browser(server) as phone:
            await phone.sign_in(login)
            status, page = await phone.get("/d/home/L1-S")
            assert status == 200
            assert f'href="{there}"' in page
