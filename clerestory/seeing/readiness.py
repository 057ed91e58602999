"""Whether a process can do its work now: its database takes what is written, its broker answers."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Final

from psycopg import Error
from psycopg_pool import PoolTimeout

from clerestory.seeing.watch import Watch
from clerestory.site import Site
from gateway.session import Session
from web import operations_store
from web.operations_store import Writable
from web.vitals import Part

ASK_SECONDS: Final = 3.0
# An answer is good for so long: a port that everybody reaches must not be a way to keep the database busy.
FRESH_SECONDS: Final = 1.0
LONGEST_HOLD: Final = 30.0
LONGEST_BEAT: Final = 30.0
LONGEST_TURN: Final = 60.0
LONGEST_LATE: Final = 10.0
# These look by the calendar; the others at least every two seconds.
SELDOM: Final = frozenset({"plans", "housekeeping"})
SENDING: Final = "outbox"


class Readiness:
    """Asks at most once a second, however many want to know."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = asyncio.Lock()
        self._asked = float("-inf")
        self._parts: Sequence[Part] = ()

    async def parts(self) -> Sequence[Part]:
        """Say of every part whether it is ready."""
        async with self._lock:
            if monotonic() - self._asked > FRESH_SECONDS:
                now = monotonic()
                database = await ask_database(self._site, now)
                self._parts = (database, *judge(self._site.watch, now))
                self._asked = monotonic()
            return self._parts

    def alive(self) -> Sequence[Part]:
        """Say whether the event loop turns: what answers this is one of its own tasks, the other is not."""
        looked = self._site.watch.event_loop.looked_at
        late = 0.0 if looked is None else monotonic() - looked
        return (Part("event loop", late <= LONGEST_LATE, f"looked {late:.1f} s ago"),)


async def ask_database(site: Site, now: float) -> Part:
    """Ask the database whether it takes what is written."""
    try:
        # The pool's own timeout would not end a question that a stopped server never answers.
        async with asyncio.timeout(ASK_SECONDS), site.pool.connection(ASK_SECONDS) as conn:
            found = await operations_store.writable(conn)
    except TimeoutError:
        return Part("database", ok=False, said=f"did not answer within {ASK_SECONDS:.0f} s")
    except (Error, PoolTimeout, OSError) as error:
        return Part("database", ok=False, said=str(error).strip() or type(error).__name__)
    return judge_database(found, site.watch, now)


def judge_database(found: Writable, watch: Watch, now: float) -> Part:
    """Say whether a database that answered will do. Pure."""
    if found.recovering:
        said = "is a replica; CLERESTORY_DATABASE_URL must name the primary"
    elif found.read_only:
        said = "is read-only; nothing is acknowledged until it takes writes again"
    elif found.unknown:
        said = f"was migrated by a newer version ({', '.join(found.unknown)}); start that version"
    elif found.waiting:
        said = f"waits for migrations ({', '.join(found.waiting)}); run clerestory migrate"
    elif watch.beat_trouble:
        said = f"did not take our last write: {watch.beat_trouble}"
    elif watch.beat_at is not None and now - watch.beat_at > LONGEST_BEAT:
        said = f"took our last write {now - watch.beat_at:.0f} s ago"
    else:
        return Part("database", ok=True, said="writable and migrated")
    return Part("database", ok=False, said=said)


def judge(watch: Watch, now: float) -> list[Part]:
    """Say of the rest whether it is ready. Pure."""
    parts = []
    if "gateway" in watch.roles:
        parts += _gateway(watch.session, now)
    if "worker" in watch.roles:
        parts += _worker(watch, now)
    return parts


def _gateway(session: Session | None, now: float) -> list[Part]:
    if session is None:
        return [Part("broker", ok=False, said="not connected yet")]
    connected = session.connected.is_set()
    broker = Part("broker", connected, "connected" if connected else f"not connected to {session.where}")
    tally = session.tally
    held = 0.0 if tally.hand_since is None else now - tally.hand_since
    if held > LONGEST_HOLD:
        why = f": {tally.trouble}" if tally.trouble else ""
        return [
            broker,
            Part("commit", ok=False, said=f"a batch has waited {held:.0f} s to be committed{why}"),
        ]
    if tally.committed_at is None:
        return [broker, Part("commit", ok=True, said="nothing to commit yet")]
    return [broker, Part("commit", ok=True, said=f"last commit {now - tally.committed_at:.1f} s ago")]


def _worker(watch: Watch, now: float) -> list[Part]:
    parts = []
    sending = watch.loops.get(SENDING)
    if sending is not None and "gateway" not in watch.roles:
        parts.append(Part("broker", not sending.trouble, sending.trouble or "connected"))
    said = []
    for name, loop in sorted(watch.loops.items()):
        age = now - loop.turned_at
        if loop.trouble and name != SENDING:
            said.append(f"{name}: {loop.trouble}")
        elif age > LONGEST_TURN and name not in SELDOM:
            said.append(f"{name}: last turn {age:.0f} s ago")
    if not watch.loops:
        said.append("not at work yet")
    parts.append(Part("work", not said, "; ".join(said) or "every kind of work turns"))
    return parts
