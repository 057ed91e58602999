"""What the ledger keeps: accounts, transactions, entries."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from billing.postings import Discrepancy, Entry, LedgerCheck


async def post(
    conn: AsyncConnection,
    community_id: int,
    transactions: Sequence[tuple[str, str, Sequence[Entry]]],
    now: datetime,
) -> None:
    """Write whole ledger transactions (kind, ref, entries), opening accounts that are not there yet."""
    accounts = await _accounts(
        conn, community_id, {(entry.kind, entry.ref) for _, _, entries in transactions for entry in entries}
    )
    async with conn.cursor() as cursor:
        await cursor.execute(
            """INSERT INTO ledger_transaction (community_id, kind, ref, at)
               SELECT %(community_id)s, kind, ref, %(now)s
                 FROM unnest(%(kinds)s::text[], %(refs)s::text[]) AS new(kind, ref)
            RETURNING kind, ref, id""",
            {
                "community_id": community_id,
                "now": now,
                "kinds": [kind for kind, _, _ in transactions],
                "refs": [ref for _, ref, _ in transactions],
            },
        )
        ids = {(kind, ref): transaction_id for kind, ref, transaction_id in await cursor.fetchall()}
    rows = [
        (ids[kind, ref], position, accounts[entry.kind, entry.ref], entry.amount_fen)
        for kind, ref, entries in transactions
        for position, entry in enumerate(entries, 1)
    ]
    async with (
        conn.cursor() as copying,
        copying.copy(
            "COPY ledger_entry (transaction_id, position, account_id, amount_fen) FROM STDIN"
        ) as copy,
    ):
        for row in rows:
            await copy.write_row(row)


async def open_accounts(conn: AsyncConnection, community_id: int, items: Sequence[str]) -> None:
    """Open the accounts a bill run will use, all at once before it begins.

    Not only for speed: PostgreSQL keeps the plan by which it checks entries against accounts, and a plan made
    while there were few accounts reads all of them for every entry.
    """
    await conn.execute(
        """INSERT INTO ledger_account (community_id, kind, ref)
           SELECT %(community_id)s, 'receivable', code FROM unit WHERE community_id = %(community_id)s
            UNION ALL
           SELECT %(community_id)s, 'income', code FROM unnest(%(items)s::text[]) AS code
            ORDER BY 2, 3
           ON CONFLICT (community_id, kind, ref) DO NOTHING""",
        {"community_id": community_id, "items": list(items)},
    )


async def _accounts(
    conn: AsyncConnection, community_id: int, wanted: set[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    # Sorted, so that two callers who open the same accounts wait for each other instead of deadlocking.
    ordered = sorted(wanted)
    values = {
        "community_id": community_id,
        "kinds": [kind for kind, _ in ordered],
        "refs": [ref for _, ref in ordered],
    }
    await conn.execute(
        """INSERT INTO ledger_account (community_id, kind, ref)
           SELECT %(community_id)s, kind, ref
             FROM unnest(%(kinds)s::text[], %(refs)s::text[]) AS new(kind, ref)
            WHERE NOT EXISTS (SELECT FROM ledger_account AS known
                               WHERE (known.community_id, known.kind, known.ref)
                                     = (%(community_id)s, new.kind, new.ref))
           ON CONFLICT (community_id, kind, ref) DO NOTHING""",
        values,
    )
    found = await conn.execute(
        """SELECT account.kind, account.ref, account.id
             FROM unnest(%(kinds)s::text[], %(refs)s::text[]) AS wanted(kind, ref)
             JOIN ledger_account AS account
                  ON account.community_id = %(community_id)s AND account.kind = wanted.kind
                 AND account.ref = wanted.ref""",
        values,
    )
    return {(kind, ref): account_id for kind, ref, account_id in await found.fetchall()}


async def check_ledger(conn: AsyncConnection) -> LedgerCheck:
    """Count what is there and list what does not fit (the view ledger_discrepancy)."""
    async with conn.cursor(row_factory=class_row(Discrepancy)) as cursor:
        await cursor.execute(
            """SELECT finding, community.code AS community, subject, expected_fen, found_fen
                 FROM ledger_discrepancy JOIN community ON community.id = ledger_discrepancy.community_id
                ORDER BY community.code, finding, subject"""
        )
        discrepancies = tuple(await cursor.fetchall())
    async with conn.cursor(row_factory=dict_row) as counting:
        await counting.execute(
            """SELECT (SELECT count(*) FROM ledger_transaction) AS transactions,
                      (SELECT count(*) FROM ledger_entry) AS entries,
                      (SELECT coalesce(sum(amount_fen), 0)::bigint FROM ledger_entry) AS sum_fen,
                      (SELECT count(*) FROM bill) AS bills,
                      (SELECT count(*) FROM payment) AS payments"""
        )
        [counts] = await counting.fetchall()
    return LedgerCheck(**counts, discrepancies=discrepancies)
