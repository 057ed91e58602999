"""The rules at work on PostgreSQL: hear messages, wake for timers. The caller owns the transaction.

Two processes may hear one device at once: its row in `device_state` is locked while its rules are stepped, so
they take turns, and many rows are locked in the order of their keys, so they never wait for each other in a
ring.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import msgspec
from psycopg import AsyncConnection, AsyncCursor

from config.text import printable
from gateway.signals import Device, Heard
from gateway.store import check_promises
from rules import store
from rules.book import RuleBook
from rules.changes import AlarmChange
from rules.engine import Facts, Said, Tick
from rules.engine import next_due as engine_next_due
from rules.facts import facts_of, rules_for
from rules.findings import Batch, Finding, Key
from rules.hearing import inputs, tells
from rules.moments import to_moment
from rules.overtaken import Stepped, step_device, step_in_order, straighten
from rules.renewal import marked, renewed
from rules.ruleset import RuleSet
from rules.state import DeviceState, encode_state, load_state
from rules.store import DueRow, Presence, Save, StateRow
from storage.notify import notify_each
from storage.unwell import is_unwell

DEVICES_A_TURN = 100
SETBACK = timedelta(minutes=3)
LONGEST_WHY = 200

log = logging.getLogger(__name__)

# What the rest of the house does about alarms, in the same transaction.
Act = Callable[[Sequence[AlarmChange]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Locking:
    """The devices of some messages, whose memories are being locked, and what was heard of each."""

    heard: dict[Key, list[Heard]]
    asked: AsyncCursor[StateRow] | None


@dataclass(frozen=True, slots=True)
class Found:
    """What stepping some devices came to, to be stored; `presence` is kept for replays.

    `shared`: where gateways share the messages, each device with its row, still to be put in order.
    `behind`: the devices that were moved after their messages were understood, still to be stepped.
    """

    saves: list[Save]
    findings: list[Finding]
    presence: list[Presence]
    shared: list[tuple[StateRow, Stepped]]
    behind: list[StateRow]


async def hear(
    conn: AsyncConnection, heard: Sequence[Heard], book: RuleBook, shared_at: datetime | None = None
) -> list[AlarmChange]:
    """Step the rules of every device heard, store what they remember, raise and clear alarms.

    `shared_at`: our clock, where gateways share the messages, so that a device's may come in any order.
    """
    locking = await locked_all(conn, await lock(conn, heard))
    shared = shared_at is not None
    found = await step_all(locking, book, shared=shared)
    await catch_up(conn, locking, found, book, shared=shared)
    return await keep(conn, found, shared_at)


async def lock(conn: AsyncConnection, heard: Sequence[Heard]) -> Locking:
    """Ask for the memories of every device heard; in a pipeline this waits for nothing."""
    by_device: dict[Key, list[Heard]] = {}
    for each in heard:
        by_device.setdefault(each.device.key, []).append(each)
    return Locking(by_device, await store.lock_states(conn, sorted(by_device)) if by_device else None)


async def locked_all(conn: AsyncConnection, locking: Locking) -> Locking:
    """Make and lock the memories that are missing; without a query where none is.

    The pipeline they were asked in has ended, and nothing else is under way on the connection.
    """
    asked = locking.asked
    if asked is None or asked.rowcount == len(locking.heard):
        return locking
    keys = sorted(locking.heard)
    found = {row.key for row in await asked.fetchall()}
    await store.make_states(conn, [key for key in keys if key not in found])
    return Locking(locking.heard, await store.lock_states(conn, keys))


async def step_all(locking: Locking, book: RuleBook, *, shared: bool = False) -> Found:
    """Step the rules of every device heard. Stores nothing, and lets others have their turn meanwhile.

    Of devices that are behind, `catch_up` does the same.
    """
    found = Found([], [], [], [], [])
    rows = await locking.asked.fetchall() if locking.asked else []
    for count, row in enumerate(rows, 1):
        said = locking.heard[row.key]
        device = said[-1].device
        if row.asset_id == device.asset_id:
            _step(row, device, said, book, found, shared=shared)
        else:
            found.behind.append(row)
        if not count % DEVICES_A_TURN:
            await asyncio.sleep(0)
    return found


async def catch_up(
    conn: AsyncConnection, locking: Locking, found: Found, book: RuleBook, *, shared: bool = False
) -> None:
    """Step the devices that watch something else by now than when their messages were understood.

    Whoever moves a device changes the row of its memory, so that under its lock we know. Where none was
    moved this asks nothing.
    """
    if not found.behind:
        return
    present = await store.watched(conn, [row.key for row in found.behind])
    for row in found.behind:
        said = locking.heard[row.key]
        _step(row, present.get(row.key, said[-1].device), said, book, found, shared=shared)
    found.behind.clear()


def _step(
    row: StateRow, device: Device, said: Sequence[Heard], book: RuleBook, found: Found, *, shared: bool
) -> None:
    if row.retired:
        return
    rules = rules_for(device, book)
    facts = facts_of(device, rules)
    given = inputs(said[0], rules)
    for message in said[1:]:
        given += inputs(message, rules)
    if row.since is not None:
        given = [each for each in given if not isinstance(each, Said) or each.at >= row.since]
    before = load_state(row.state)
    known = before
    for message in said:
        if message.online is not None and tells(known, online=message.online, retained=message.retained):
            found.presence.append(Presence(row.key, message.received_at, message.online))
            known = msgspec.structs.replace(known, online=message.online)
    fresh = renewed(before, rules)
    if shared:
        found.shared.append((row, step_in_order(device, rules, fresh, given, facts, found.findings)))
        return
    after = marked(step_device(device, rules, fresh, given, facts, found.findings), rules)
    if after is not before:
        found.saves.append(_save(row.key, after, _never_later(row.next_due, rules, after, facts)))


async def keep(conn: AsyncConnection, found: Found, shared_at: datetime | None = None) -> list[AlarmChange]:
    """Store what the devices remember, raise and clear alarms."""
    corrected: list[AlarmChange] = []
    if shared_at is not None:
        corrected = await straighten(conn, [each for _, each in found.shared], found.findings, shared_at)
        for row, each in found.shared:
            if each.after is not each.before:
                due = _never_later(row.next_due, each.rules, each.after, each.facts)
                found.saves.append(_save(row.key, marked(each.after, each.rules), due))
    if found.saves:
        await store.save_states(conn, found.saves)
    if found.presence:
        await store.note_presence(conn, found.presence)
    return corrected + await _settle(conn, found.findings)


@dataclass(frozen=True, slots=True)
class AtFault:
    """A device whose timers could not run, and why; it is looked at again after `SETBACK`."""

    device: Device
    why: str

    @classmethod
    def of(cls, device: Device, error: Exception) -> Self:
        """Say what went wrong in one line, no longer than a page can show."""
        why = printable(f"{type(error).__name__}: {error}").partition("\n")[0]
        return cls(device, why[:LONGEST_WHY])


@dataclass(frozen=True, slots=True)
class Woken:
    """What timers came to: what changed, the devices that we failed at, and those still to be settled."""

    changes: Sequence[AlarmChange]
    at_fault: Sequence[AtFault]
    left: Sequence[Device]


async def wake(
    conn: AsyncConnection, now: datetime, book: RuleBook, act: Act | None = None, limit: int = 500
) -> Woken:
    """Let timers run out whose time has come, of devices nobody else is stepping at this moment.

    At most `limit` devices; call it again while `next_due` is not after `now`. A device that we fail at keeps
    no other from its timers: nothing of it is kept, and it is put off for a few minutes. So is one that was
    moved or retired and that nobody has settled: what it remembers is not about what it watches now.
    """
    due = await store.lock_due(conn, now, limit)
    waiting = [row for row in due if not row.left]
    left = [row.device for row in due if row.left]
    changes: list[AlarmChange] = []
    at_fault: list[AtFault] = []
    if waiting:
        await _run_out(conn, waiting, now, book, act, changes, at_fault)
    if at_fault or left:
        put_off = [*(each.device for each in at_fault), *left]
        await store.put_off(conn, [each.key for each in put_off], now + SETBACK)
    return Woken(changes, at_fault, left)


async def _run_out(
    conn: AsyncConnection,
    waiting: Sequence[DueRow],
    now: datetime,
    book: RuleBook,
    act: Act | None,
    changes: list[AlarmChange],
    at_fault: list[AtFault],
) -> None:
    """Take these devices together, which is fastest; where that fails halve them, until it is one alone."""
    try:
        async with conn.transaction():
            found = await _timers(conn, waiting, now, book)
            if found and act is not None:
                await act(found)
            if found:
                await check_promises(conn)
    except Exception as error:
        if is_unwell(error):
            raise
        if len(waiting) == 1:
            device = waiting[0].device
            name = f"{device.community}/{device.code}"
            # One traceback of a pass is enough: a fault of a rule is the same in thousands of devices.
            log.exception("the timers of %s could not run; again in %s", name, SETBACK, exc_info=not at_fault)
            at_fault.append(AtFault.of(device, error))
            return
    else:
        changes += found
        return
    middle = len(waiting) // 2
    await _run_out(conn, waiting[:middle], now, book, act, changes, at_fault)
    await _run_out(conn, waiting[middle:], now, book, act, changes, at_fault)


async def _timers(
    conn: AsyncConnection, waiting: Sequence[DueRow], now: datetime, book: RuleBook
) -> list[AlarmChange]:
    saves: list[Save] = []
    findings: list[Finding] = []
    for row in waiting:
        device = row.device
        rules = rules_for(device, book)
        facts = facts_of(device, rules)
        state = renewed(load_state(row.state), rules)
        if row.retired:
            due = None  # nobody expects anything of it; it is looked at again if it speaks
        else:
            state = marked(step_device(device, rules, state, [Tick(to_moment(now))], facts, findings), rules)
            due = engine_next_due(rules, state, facts)
        saves.append(_save(row.key, state, due))
    await store.save_states(conn, saves)
    return await _settle(conn, findings)


async def next_due(conn: AsyncConnection) -> datetime | None:
    """When `wake` should next be called: may be early, never late; None while nothing waits."""
    return await store.next_due(conn)


async def end_retired_rules(conn: AsyncConnection, book: RuleBook, now: datetime) -> int:
    """End the live alarms of rules that are no longer in the book: nothing else ever would."""
    ended = await store.end_alarms_of_other_rules(conn, [rule.code for rule in book.rules], now)
    await notify_each(conn, "alarm", [(community_id, alarm_id) for alarm_id, community_id in ended])
    return len(ended)


def _save(key: Key, state: DeviceState, due: int | None) -> Save:
    return Save(key, encode_state(state), state.heard, state.online, due)


def _never_later(known: int | None, rules: RuleSet, state: DeviceState, facts: Facts) -> int | None:
    """The time to wake: the stored one stays while it is early enough, so most updates touch no index."""
    due = engine_next_due(rules, state, facts)
    return due if known is None or (due is not None and due < known) else known


async def _settle(conn: AsyncConnection, findings: Sequence[Finding]) -> list[AlarmChange]:
    if not findings:
        return []
    batch = Batch.of(findings)
    # What was live ends first, so that what is raised after it finds its place free.
    moved = await store.move_alarms(conn, [story.move() for story in batch.earlier]) if batch.earlier else []
    new = [story.new_alarm(story.raised) for story in batch.new if story.raised is not None]
    inserted = await store.insert_alarms(conn, new) if new else {}
    batch.learn(inserted, moved)
    for each in batch.steps():
        await store.step_alarms(conn, each)
    changes = batch.changes()
    await notify_each(conn, "alarm", [(change.community_id, change.alarm_id) for change in changes])
    return changes
