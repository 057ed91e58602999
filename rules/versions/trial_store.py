"""All SQL of trials: changed rules tried on what is stored. Whoever calls owns the transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg import AsyncConnection
from psycopg.rows import class_row

Status = Literal["waiting", "running", "done", "failed", "cancelled"]
# Why a trial ended that was not done: somebody wanted it so, or its rules were switched on meanwhile.
Ending = Literal["", "switched_on"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial as it stands. `result` is the foresight as JSON, once it is done.

    `made_from` is the digest of the file there was on disk; None where an earlier release did not keep it.
    """

    id: int
    file: str
    base: int
    made_from: str | None
    text: str
    from_at: datetime
    to_at: datetime
    account_id: int
    who: str
    asked_at: datetime
    status: Status
    share: float
    readings: int
    result: bytes | None
    trouble: str
    ended_at: datetime | None


class TrialGoingOn(Exception):
    """The account has a trial that is not over, and did not say that this one is to end it."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(f"trial {trial.id} of {trial.file} is not over yet")
        self.trial = trial


_TRIAL = """
    SELECT t.id, t.file, t.base, t.made_from, t.text, t.from_at, t.to_at, t.account_id, a.name AS who,
           t.asked_at, t.status, t.share, t.readings, convert_to(t.result::text, 'UTF8') AS result,
           t.trouble, t.ended_at
      FROM rule_trial t JOIN account a ON a.id = t.account_id
"""


async def ask(
    conn: AsyncConnection,
    file: str,
    base: int,
    made_from: str,
    text: str,
    times: tuple[datetime, datetime],
    account_id: int,
    ends: int = 0,
) -> int:
    """Ask for a trial up to the second of `times`, which is now.

    An account has one trial at a time: the one that `ends` names is ended by this one, and while another
    goes on TrialGoingOn is raised. Whoever asks has seen what it ends.
    """
    # Of two asked for in the same moment the second meets the first.
    await conn.execute("SELECT FROM account WHERE id = %(id)s FOR NO KEY UPDATE", {"id": account_id})
    present = await going_on(conn, account_id)
    if present is not None:
        if present.id != ends:
            raise TrialGoingOn(present)
        await cancel(conn, present.id, times[1])
    cursor = await conn.execute(
        """
        INSERT INTO rule_trial (file, base, made_from, text, from_at, to_at, account_id, asked_at)
        VALUES (%(file)s, %(base)s, %(made_from)s, %(text)s, %(from)s, %(to)s, %(account)s, %(to)s)
        RETURNING id
        """,
        {
            "file": file,
            "base": base,
            "made_from": made_from,
            "text": text,
            "from": times[0],
            "to": times[1],
            "account": account_id,
        },
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def read(conn: AsyncConnection, trial_id: int) -> Trial | None:
    """One trial."""
    async with conn.cursor(row_factory=class_row(Trial), binary=True) as cursor:
        await cursor.execute(_TRIAL + " WHERE t.id = %(id)s", {"id": trial_id})
        return await cursor.fetchone()


async def going_on(conn: AsyncConnection, account_id: int) -> Trial | None:
    """The trial of an account that is not over, which another would end."""
    async with conn.cursor(row_factory=class_row(Trial), binary=True) as cursor:
        await cursor.execute(
            _TRIAL + " WHERE t.account_id = %(id)s AND t.status IN ('waiting', 'running')", {"id": account_id}
        )
        return await cursor.fetchone()


async def recent(conn: AsyncConnection, file: str, limit: int) -> list[Trial]:
    """The newest trials of a file."""
    async with conn.cursor(row_factory=class_row(Trial), binary=True) as cursor:
        await cursor.execute(
            _TRIAL + " WHERE t.file = %(file)s ORDER BY t.id DESC LIMIT %(limit)s",
            {"file": file, "limit": limit},
        )
        return await cursor.fetchall()


async def give_up(conn: AsyncConnection, now: datetime, silence: timedelta, attempts: int) -> list[int]:
    """End the trials that were begun so often and whose worker has said nothing for so long.

    There is no word why: whoever worked on them ended every time before it could say one.
    """
    cursor = await conn.execute(
        """
        UPDATE rule_trial SET status = 'failed', ended_at = %(now)s
        WHERE status = 'running' AND beat_at < %(now)s - %(silence)s AND attempts >= %(attempts)s
        RETURNING id
        """,
        {"now": now, "silence": silence, "attempts": attempts},
    )
    return [int(row[0]) for row in await cursor.fetchall()]


async def claim(conn: AsyncConnection, now: datetime, silence: timedelta) -> Trial | None:
    """Take the trial that waits longest, or one whose worker has said nothing for so long."""
    cursor = await conn.execute(
        """
        UPDATE rule_trial SET status = 'running', beat_at = %(now)s, attempts = attempts + 1, share = 0
        WHERE id = (SELECT id FROM rule_trial
                     WHERE status = 'waiting' OR (status = 'running' AND beat_at < %(now)s - %(silence)s)
                     ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id
        """,
        {"now": now, "silence": silence},
    )
    row = await cursor.fetchone()
    return None if row is None else await read(conn, row[0])


async def beat(conn: AsyncConnection, trial_id: int, share: float, readings: int, now: datetime) -> bool:
    """Say how far it is; False where it is not to go on."""
    cursor = await conn.execute(
        """
        UPDATE rule_trial SET beat_at = %(now)s, share = %(share)s, readings = %(readings)s
        WHERE id = %(id)s AND status = 'running'
        """,
        {"id": trial_id, "share": min(max(share, 0.0), 1.0), "readings": readings, "now": now},
    )
    return cursor.rowcount == 1


async def finish(conn: AsyncConnection, trial_id: int, result: bytes, now: datetime) -> None:
    """Keep what a trial found, unless it was cancelled meanwhile."""
    await conn.execute(
        """
        UPDATE rule_trial SET status = 'done', result = %(result)s::jsonb, share = 1, ended_at = %(now)s
        WHERE id = %(id)s AND status = 'running'
        """,
        {"id": trial_id, "result": result.decode(), "now": now},
    )


async def fail(conn: AsyncConnection, trial_id: int, trouble: str, now: datetime) -> None:
    """Keep why a trial came to nothing."""
    await conn.execute(
        """
        UPDATE rule_trial SET status = 'failed', trouble = %(trouble)s, ended_at = %(now)s
        WHERE id = %(id)s AND status = 'running'
        """,
        {"id": trial_id, "trouble": trouble, "now": now},
    )


async def give_back(conn: AsyncConnection, trial_id: int) -> None:
    """Let another worker take it: this one stops, which is no attempt that failed."""
    await conn.execute(
        """
        UPDATE rule_trial SET status = 'waiting', share = 0, attempts = attempts - 1
        WHERE id = %(id)s AND status = 'running'
        """,
        {"id": trial_id},
    )


async def cancel(conn: AsyncConnection, trial_id: int, now: datetime, why: Ending = "") -> bool:
    """End a trial that waits or runs, for a reason that the page knows; False where it is over already."""
    cursor = await conn.execute(
        """
        UPDATE rule_trial SET status = 'cancelled', trouble = %(why)s, ended_at = %(now)s
        WHERE id = %(id)s AND status IN ('waiting', 'running')
        """,
        {"id": trial_id, "now": now, "why": why},
    )
    return cursor.rowcount == 1


async def forget(conn: AsyncConnection, before: datetime) -> None:
    """Delete the trials that ended before a moment."""
    await conn.execute("DELETE FROM rule_trial WHERE ended_at < %(before)s", {"before": before})
