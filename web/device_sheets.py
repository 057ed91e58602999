"""Devices from Excel and CSV: every mistake at once, a preview, all or nothing; the list as such a sheet."""

import asyncio
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from config.profiles import load_profiles
from config.text import Text
from dispatch import leaving
from gateway.devices import importing, listing, register, sheet, store
from gateway.devices.importing import Plan
from gateway.devices.register import GoneMeanwhile, Hand
from gateway.devices.sheet import HEADINGS, LARGEST_FILE, Sheet, Unreadable, write_csv, write_excel
from web.access import KEEPERS, require
from web.device_forms import rule_attributes
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.session import account_of
from web.taps import word_of

BODY: Final = LARGEST_FILE + 64 * 1024
CONFIRM_BODY: Final = 4 * LARGEST_FILE
EXCEL: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_NO_FILE: Final = Text(zh="请选择一个文件", en="Choose a file")


def routes() -> list[web.RouteDef]:
    """Return the routes of sheets."""
    return [
        web.get("/devices/import", choose),
        web.post("/devices/import", preview),
        web.post("/devices/import-confirm", confirm),
        web.get("/devices/template", template),
        web.get("/devices/export", export),
    ]


@require(*KEEPERS)
async def choose(request: web.Request) -> web.StreamResponse:
    """Ask for a file."""
    return _choose(request)


def _choose(request: web.Request, wrong: Text | None = None) -> web.Response:
    return page(
        request,
        "registry/import.html",
        {"wrong": wrong, "most": sheet.MOST_ROWS},
        status=422 if wrong else 200,
    )


@require(*KEEPERS, body=BODY)
async def preview(request: web.Request) -> web.StreamResponse:
    """Say every mistake in the file, or what it would change."""
    sent = (await request.post()).get("file")
    if not isinstance(sent, web.FileField):
        return _choose(request, _NO_FILE)
    content = await asyncio.to_thread(sent.file.read)
    if not content:
        return _choose(request, _NO_FILE)
    return await _preview(request, content)


async def _read(request: web.Request, content: bytes) -> Sheet:
    known = listing.known_attributes(rule_attributes(request))
    return await asyncio.to_thread(sheet.read, content, known)


async def _plan(conn: AsyncConnection, request: web.Request, read: Sheet) -> Plan:
    wanted = [row.wanted for row in read.rows]
    land = await register.survey(
        conn, wanted, load_profiles(), rule_attributes(request), account_of(request).communities
    )
    return await asyncio.to_thread(importing.plan, read, land)


async def _preview(request: web.Request, content: bytes, *, stale: bool = False) -> web.Response:
    try:
        read = await _read(request, content)
    except Unreadable as error:
        return _choose(request, error.text)
    async with house_of(request).pool.connection() as conn:
        plan = await _plan(conn, request, read)
    if plan.faults:
        headings = {text.en: text[language_of(request)] for text in HEADINGS.values()}
        return page(request, "registry/mistakes.html", {"plan": plan, "headings": headings}, status=422)
    names = [name for name in read.columns if name not in HEADINGS]
    rows = [
        {
            "community": row.wanted.community,
            "code": row.wanted.code,
            "profile": row.wanted.profile,
            "asset": row.wanted.asset,
            "dev_eui": row.wanted.dev_eui,
            **row.wanted.attributes,
        }
        for row in read.rows
    ]
    columns = [*(name for name in HEADINGS if name in read.columns), *names]
    text = write_csv(columns, rows, "en").decode("utf-8-sig")
    return page(
        request,
        "registry/preview.html",
        {"plan": plan, "sheet": text, "stale": stale},
        status=409 if stale else 200,
    )


@require(*KEEPERS, body=CONFIRM_BODY)
async def confirm(request: web.Request) -> web.StreamResponse:
    """Do what the preview said, all of it; where that is not the same any more, show it anew."""
    sent = await request.post()
    content, digest = sent.get("sheet", ""), word_of(sent, "digest")
    if not isinstance(content, str) or not content:
        return _choose(request, _NO_FILE)
    try:
        read = await _read(request, content.encode())
    except Unreadable as error:
        return _choose(request, error.text)
    hand = Hand(now_of(request), "import", account_of(request).id)
    async with house_of(request).pool.connection() as conn:
        try:
            async with conn.transaction():
                plan = await _plan(conn, request, read)
                done = not plan.faults and plan.digest == digest
                if done:
                    await leaving.apply(conn, plan.fits, hand)
        except (GoneMeanwhile, UniqueViolation):
            done = False
    if not done:
        return await _preview(request, content.encode(), stale=True)
    return page(request, "registry/imported.html", {"plan": plan})


def _file(content: bytes, name: str, kind: str) -> web.Response:
    return web.Response(
        body=content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@require(*KEEPERS)
async def template(request: web.Request) -> web.StreamResponse:
    """Give an empty sheet with our columns, in the reader's language; with notes where it is Excel."""
    language = language_of(request)
    if request.query.get("format") == "csv":
        return _file(write_csv(tuple(HEADINGS), [], language), "devices.csv", "text/csv")
    notes = listing.notes(load_profiles(), rule_attributes(request), language)
    content = await asyncio.to_thread(write_excel, tuple(HEADINGS), (), language, notes)
    return _file(content, "devices.xlsx", EXCEL)


@require(*KEEPERS)
async def export(request: web.Request) -> web.StreamResponse:
    """Give the devices in use as a sheet that can be imported."""
    async with house_of(request).pool.connection() as conn:
        found = await store.registered(conn, account_of(request).communities)
    rows = [importing.as_row(each) for each in found if each.retired_at is None]
    names, language = listing.columns(rows), language_of(request)
    if request.query.get("format") == "csv":
        return _file(await asyncio.to_thread(write_csv, names, rows, language), "devices.csv", "text/csv")
    return _file(await asyncio.to_thread(write_excel, names, rows, language), "devices.xlsx", EXCEL)
