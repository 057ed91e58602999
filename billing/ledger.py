"""Proving the books: every sum of bills, payments and ledger against the others."""

from psycopg import AsyncConnection

from billing import store
from billing.postings import LedgerCheck


async def check(conn: AsyncConnection) -> LedgerCheck:
    """Check everything, in one statement: bills and payments of the moment do not look like mistakes.

    Proves: entries sum to zero overall, per transaction and per community; each unit's receivable is its
    bills less allocations, its prepayment its payments less allocations; cash per channel is its payments,
    income per charge item its lines; a bill's lines sum to its total; every bill and payment has exactly
    one ledger transaction and every transaction its cause; nothing is allocated beyond a payment or a bill.
    """
    return await store.check_ledger(conn)
