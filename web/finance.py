"""Finance: what the ledger says, the bills, the payments, and the money that was not taken."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

import billing.store
from config.text import Text
from web import finance_store
from web.access import require
from web.finance_store import Balance
from web.house import house_of
from web.render import page
from web.session import account_of

SHOWN: Final = 50
# Shown first, and shown when zero; other kinds follow when there is something on them.
_ALWAYS: Final = ("receivable", "cash", "income", "prepayment")
_CREDIT_KINDS: Final = frozenset(
    {"income", "prepayment", "voucher_liability", "public_revenue", "maintenance_fund"}
)


def routes() -> list[web.RouteDef]:
    """Return the finance routes."""
    return [web.get("/finance", finance), web.get("/finance/lists", lists)]


@dataclass(frozen=True, slots=True)
class Totals:
    """A community's ledger in one line: each kind as people say it (income positive), and the sum of all."""

    name: Text
    kinds: tuple[tuple[str, int], ...]
    ledger_sum: int


@require("finance", "manager", "administrator")
async def finance(request: web.Request) -> web.StreamResponse:
    """Show the finance page."""
    return page(request, "finance/finance.html", await _context(request))


@require("finance", "manager", "administrator")
async def lists(request: web.Request) -> web.StreamResponse:
    """Show the live part of the finance page."""
    return page(request, "finance/lists.html", await _context(request))


async def _context(request: web.Request) -> dict[str, object]:
    seen = account_of(request).communities
    async with house_of(request).pool.connection() as conn:
        names = await finance_store.communities(conn, seen)
        found = await finance_store.balances(conn, seen)
        return {
            "totals": [
                totals(name, [one for one in found if one.community_id == key]) for key, name in names
            ],
            "bills": await billing.store.bills_of_office(conn, seen, limit=SHOWN),
            "payments": await finance_store.payments(conn, seen, SHOWN),
            "refusals": await billing.store.refusals(conn, seen, SHOWN),
        }


def totals(name: Text, balances: list[Balance]) -> Totals:
    """Sum up one community's balances. Pure."""
    fen = {balance.kind: balance.amount_fen for balance in balances}
    kinds = [*_ALWAYS, *sorted(set(fen) - set(_ALWAYS))]
    said = tuple((kind, -fen.get(kind, 0) if kind in _CREDIT_KINDS else fen.get(kind, 0)) for kind in kinds)
    return Totals(name, said, sum(fen.values()))
