"""A replay by several processes: each takes some of the devices; their tallies are added up.

A process of its own keeps the replay's work off the event loop that answers pages and runs timers, and can be
ended at any moment: a replay only reads.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

import msgspec
from psycopg import AsyncConnection

from rules.book import RuleBook, load_sources
from rules.replay import store
from rules.replay.run import Part, Progress, replayed
from rules.replay.tally import Tally
from rules.replay.warmup import warm_up
from rules.rule import Offline
from rules.sources import Source
from storage.pool import in_utc

LONGEST_LINE = 64 * 1024 * 1024


class ReplayFailed(RuntimeError):
    """A process of the replay ended without a result; the message says why."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a process of a replay says: how far it is, what it found, or what kept it from that."""

    progress: Progress | None = None
    tally: Tally | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be replayed: two books' sources, asset classes, a time, one community or all."""

    old: tuple[Source, ...]
    new: tuple[Source, ...]
    classes: tuple[str, ...]
    start: datetime
    end: datetime
    community: str | None = None
    warm_up: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, by how many processes in what time.

    `skipped` are rules that cannot be replayed, `partly` those that listen to who is gone: that is known from
    `heard_since` on, and so is what was heard late.
    """

    tally: Tally
    warm_from: datetime
    seconds: float
    processes: int
    skipped: tuple[str, ...]
    before: RuleBook
    after: RuleBook
    partly: tuple[str, ...] = ()
    heard_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How far a replay is: `share` from 0 to 1, and the readings so far."""

    share: float
    readings: int


Tell = Callable[[Done], None]


async def replay(url: str, order: Order, tell: Tell, *, processes: int | None = None) -> Report:
    """Replay; cancelling it ends its processes. Raises RuleFileError, ReplayFailed."""
    began = perf_counter()
    before, after = load_sources(order.old), load_sources(order.new)
    warm_from = order.start - (order.warm_up or warm_up((before, after), order.classes))
    async with await AsyncConnection.connect(in_utc(url)) as conn:
        ids = await store.device_ids(conn, order.classes, order.community, order.start)
        since = await store.heard_since(conn)
    count = max(1, min(processes or os.cpu_count() or 1, len(ids)))
    whole = Part(url, order.old, order.new, tuple(ids), warm_from, order.start, order.end, since)
    parts = [msgspec.structs.replace(whole, devices=tuple(ids[n::count])) for n in range(count)]
    tallies = await _run_all(parts, tell)
    rules = [rule for book in (before, after) for rule in book.rules if rule.asset_class in order.classes]
    skipped = {rule.code for rule in rules if not replayed(rule, since, order.end)}
    partly: set[str] = set()
    if since is None or since > order.start:
        partly = {rule.code for rule in rules if rule.listens_to(Offline)} - skipped
    return Report(
        tally=Tally.sum(tallies),
        warm_from=warm_from,
        seconds=perf_counter() - began,
        processes=count,
        skipped=tuple(sorted(skipped)),
        before=before,
        after=after,
        partly=tuple(sorted(partly)),
        heard_since=since,
    )


async def _run_all(parts: Sequence[Part], tell: Tell) -> list[Tally]:
    at = [Progress(0.0, 0)] * len(parts)
    total = max(sum(len(part.devices) for part in parts), 1)

    def heard(number: int, progress: Progress) -> None:
        at[number] = progress
        tell(Done(min(sum(each.devices for each in at) / total, 1.0), sum(each.readings for each in at)))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_run(n, part, heard)) for n, part in enumerate(parts)]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _run(number: int, part: Part, heard: Callable[[int, Progress], None]) -> Tally:
    """Run one process to its end; it never outlives this call."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # whatever lies in the present directory is not ours
        "-m",
        "rules.replay",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    if process.stdin is None or process.stdout is None:
        raise ReplayFailed("a process without pipes")
    try:
        process.stdin.write(msgspec.json.encode(part))
        process.stdin.close()
        async for said in process.stdout:
            line = msgspec.json.decode(said, type=Line)
            if line.tally is not None:
                heard(number, Progress(len(part.devices), line.tally.readings))
                return line.tally
            if line.progress is not None:
                heard(number, line.progress)
            if line.trouble is not None:
                raise ReplayFailed(line.trouble)
        raise ReplayFailed(f"one of its processes ended with {await process.wait()} before it was done")
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
