"""A resident's pages: bills, the work behind each line, and the record of that work."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

import billing.store
from billing.views import BillLine, BillPage, BillSummary
from web.access import require
from web.errors import Refusal
from web.house import house_of
from web.render import page
from web.resident_store import RecordLine, record_lines
from web.session import account_of
from web.store import Account

SHOWN_RECORDS: Final = 5


def routes() -> list[web.RouteDef]:
    """Return the routes of the bills."""
    return [
        web.get("/bills", bills),
        web.get("/bills/{number}", bill),
        web.get("/bills/{number}/amount", bill_amount),
        web.get("/bills/{number}/lines/{position:\\d{1,4}}", bill_line),
    ]


@dataclass(frozen=True, slots=True)
class LatestRecords:
    """The newest records of one standard of a line, and how many there are."""

    shown: tuple[RecordLine, ...]
    total: int


@require("resident")
async def bills(request: web.Request) -> web.StreamResponse:
    """List the bills of whoever is signed in: what is to pay first, then month by month."""
    account = account_of(request)
    async with house_of(request).pool.connection() as conn:
        found = await billing.store.bills_of_party(conn, account.party_id or 0)
    waiting = [bill for bill in found if bill.unpaid_fen > 0]
    return page(
        request,
        "resident/bills.html",
        {
            "waiting": sorted(waiting, key=lambda bill: bill.due_on),
            "waiting_fen": sum(bill.unpaid_fen for bill in waiting),
            "years": _by_year(found),
            "units": len({bill.unit for bill in found}),
        },
    )


def _by_year(found: list[BillSummary]) -> dict[int, list[BillSummary]]:
    years: dict[int, list[BillSummary]] = {}
    for bill in found:
        years.setdefault(bill.period.year, []).append(bill)
    return years


@require("resident", "finance", "manager", "administrator")
async def bill(request: web.Request) -> web.StreamResponse:
    """Show one bill whole."""
    async with house_of(request).pool.connection() as conn:
        found = await _bill(conn, request)
        records = await _latest(conn, found)
    return page(request, "resident/bill.html", {"bill": found, "head": found.summary, "records": records})


@require("resident", "finance", "manager", "administrator")
async def bill_amount(request: web.Request) -> web.StreamResponse:
    """Show the part of a bill that a payment changes."""
    async with house_of(request).pool.connection() as conn:
        found = await _bill(conn, request)
    return page(request, "resident/bill_amount.html", {"bill": found, "head": found.summary})


@require("resident", "finance", "manager", "administrator")
async def bill_line(request: web.Request) -> web.StreamResponse:
    """Show every record behind one line of a bill."""
    async with house_of(request).pool.connection() as conn:
        found = await _bill(conn, request)
        line = _line(found, int(request.match_info["position"]))
        records = await record_lines(conn, line.record_ids)
    groups = [
        (standard, _by_asset([records[key] for key in standard.record_ids if key in records]))
        for standard in line.standards
    ]
    return page(
        request,
        "resident/bill_line.html",
        {"bill": found, "head": found.summary, "line": line, "groups": groups},
    )


async def _bill(conn: AsyncConnection, request: web.Request) -> BillPage:
    """Return the bill if this account may see it; else there is no such bill."""
    account, number = account_of(request), request.match_info["number"]
    found = (
        await billing.store.bill_for_party(conn, number, account.party_id or 0)
        if account.role == "resident"
        else await billing.store.bill_for_office(conn, number, _communities(account))
    )
    if found is None:
        raise Refusal(404)
    return found


def _communities(account: Account) -> tuple[int, ...] | None:
    return None if account.role == "administrator" else account.communities


def _line(found: BillPage, position: int) -> BillLine:
    for line in found.lines:
        if line.position == position:
            return line
    raise Refusal(404)


async def _latest(conn: AsyncConnection, found: BillPage) -> dict[tuple[int, int], LatestRecords]:
    """Read the newest records of each standard of each line, by (position of the line, of the standard)."""
    newest = {
        (line.position, index): standard.record_ids[-SHOWN_RECORDS:]
        for line in found.lines
        for index, standard in enumerate(line.standards)
    }
    lines = await record_lines(conn, [key for ids in newest.values() for key in ids])
    return {
        (line.position, index): LatestRecords(
            shown=tuple(lines[key] for key in reversed(newest[line.position, index]) if key in lines),
            total=len(standard.record_ids),
        )
        for line in found.lines
        for index, standard in enumerate(line.standards)
    }


def _by_asset(records: list[RecordLine]) -> list[tuple[RecordLine, list[RecordLine]]]:
    """Group records by what was worked on; the first of each group names it."""
    groups: dict[int, list[RecordLine]] = {}
    for record in sorted(records, key=lambda record: record.completed_at):
        groups.setdefault(record.asset_id, []).append(record)
    return [(group[0], group) for group in groups.values()]
