"""Switching rules: on, and back to what they were. Whoever calls owns the transaction, and commits soon."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, LockNotAvailable

from config.text import unprintable
from rules.book import RuleBook, load_sources
from rules.compile import compile_text
from rules.document import Problem, RuleFileError
from rules.sources import Source, class_of, put_in
from rules.versions import store
from rules.versions.force import InForce, in_force, switched
from rules.versions.store import NewVersion
from storage.notify import notify, notify_each

PATIENCE = "5s"
LONGEST_REASON = 500
LONGEST_TEXT = 256 * 1024


class SwitchRefused(Exception):
    """Rules cannot be switched like this; nothing was changed."""


class ChangedMeanwhile(SwitchRefused):
    """Somebody else switched the file since it was looked at; `newest` is the version there is now.

    `who` switched it on, at `at`; None where that cannot be told any more.
    """

    def __init__(self, file: str, base: int, newest: int, who: str, at: datetime | None) -> None:
        super().__init__(
            f"{file} is at version {newest} now (by {who}), not {base}: look at it, then switch again"
        )
        self.file, self.base, self.newest, self.who, self.at = file, base, newest, who, at


class OtherFile(SwitchRefused):
    """The file on disk is another than these words were made from: what changed in it is not in them.

    Switching them on would take back what a release brought, and nobody would be told.
    """

    def __init__(self, file: str) -> None:
        super().__init__(
            f"the file of {file} is another than these rules were made from (a newer release?): "
            "look at what it says now, then switch again"
        )
        self.file = file


class Unchanged(SwitchRefused):
    """These words are in force already."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file}: these rules are in force already")
        self.file = file


class NoReason(SwitchRefused):
    """A reason is missing, longer than a reason, or cannot be shown."""

    def __init__(self) -> None:
        super().__init__(f"say why, in 1 to {LONGEST_REASON} characters that can be shown")


class NoSuchVersion(SwitchRefused):
    """There is no such file, or it has no such version."""

    def __init__(self, file: str, version: int | None, known: Sequence[str]) -> None:
        what = f"rule file {file!r}" if version is None else f"version {version} of {file!r}"
        super().__init__(f"there is no {what}; there are: {', '.join(known) or 'none'}")
        self.file, self.version = file, version


class Busy(SwitchRefused):
    """A batch of messages takes longer than we wait."""

    def __init__(self) -> None:
        super().__init__("messages are being written that take long; nothing was changed, try again")


@dataclass(frozen=True, slots=True)
class By:
    """Who switches, and why."""

    name: str
    reason: str
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Switched:
    """What was done: the new version, and the alarms that ended because their rules are no more."""

    file: str
    version: int
    ended: tuple[tuple[int, int], ...]  # alarm id, community id


def check(known: InForce, file: str, text: str) -> RuleBook:
    """The book as it would be with a file's words changed, or RuleFileError with every mistake."""
    if len(text.encode()) > LONGEST_TEXT:
        raise RuleFileError([Problem(file, 1, 1, f"longer than {LONGEST_TEXT // 1024} KiB")])
    new, present = Source(file, file, text), known.source(file)
    before, after = None if present is None else class_of(present), class_of(new)
    compiled = compile_text(text, file)
    if before is not None and after is not None and after != before:
        # Everything else that is wrong would follow from this.
        message = f"{after!r}: these are the rules of {before}, and stay so"
        raise RuleFileError([compiled.document.at(("asset_class",), message)])
    if compiled.problems:
        raise RuleFileError(compiled.problems)
    return load_sources(put_in(known.sources, new))


async def switch_on(
    conn: AsyncConnection,
    files: Sequence[Source],
    file: str,
    text: str,
    base: int,
    by: By,
    now: datetime,
    made_from: str | None = None,
) -> Switched:
    """Put a file's words in force from this COMMIT on; `base` is the version they were made from, 0 the file.

    `made_from` is the digest of the file there was on disk then (`InForce.digest`); None where whoever
    switches has looked at the one there is now.

    Raises SwitchRefused or RuleFileError; the caller rolls back.
    """
    known = await _alone(conn, files, by)
    if known.file(file) is None and file not in known.newest and base:
        raise NoSuchVersion(file, None, [source.name for source in known.sources])
    if made_from is not None and known.version(file) == base and made_from != known.digest(file):
        raise OtherFile(file)
    return await _switch(conn, known, file, text, base, by, now, back_to=None)


async def go_back(
    conn: AsyncConnection, files: Sequence[Source], file: str, to: int, base: int, by: By, now: datetime
) -> Switched:
    """Put an earlier version in force again, 0 for the file itself, as a new version of the same words.

    It keeps which file those words were made from: that a release ships another since is told again.
    """
    known = await _alone(conn, files, by)
    earlier = {version.version: version for version in await store.history(conn, file)}
    if known.file(file) is None and not earlier:
        raise NoSuchVersion(file, None, [source.name for source in known.sources])
    kept = sorted(earlier)
    if (to == 0 and known.file(file) is None) or (to and to not in earlier):
        raise NoSuchVersion(file, to, [str(number) for number in kept])
    if not to:
        return await _switch(conn, known, file, None, base, by, now, back_to=to)
    again = earlier[to]
    return await _switch(conn, known, file, again.text, base, by, now, back_to=to, shipped=again.shipped)


async def _alone(conn: AsyncConnection, files: Sequence[Source], by: By) -> InForce:
    if not 1 <= len(by.reason.strip()) <= LONGEST_REASON or unprintable(by.reason) or unprintable(by.name):
        raise NoReason
    try:
        await store.switch_alone(conn, PATIENCE)
    except (LockNotAvailable, DeadlockDetected) as error:
        raise Busy from error
    return await asyncio.to_thread(in_force, files, await store.newest(conn))  # it takes a while to compile


async def _switch(
    conn: AsyncConnection,
    known: InForce,
    file: str,
    text: str | None,
    base: int,
    by: By,
    now: datetime,
    *,
    back_to: int | None,
    shipped: str | None = None,
) -> Switched:
    if known.version(file) != base:
        newest = known.newest.get(file)
        who, at = (newest.made_by, newest.made_at) if newest is not None else ("nobody", None)
        raise ChangedMeanwhile(file, base, known.version(file), who, at)
    on_disk, present = known.file(file), known.source(file)
    words = text if text is not None else on_disk.text if on_disk is not None else ""
    book = await asyncio.to_thread(check, known, file, words)
    if present is not None and present.text == words and (text is None) == (present is on_disk):
        raise Unchanged(file)
    new = NewVersion(
        file,
        base,
        text,
        shipped if shipped is not None else on_disk.text if on_disk is not None else None,
        back_to,
        by.reason.strip(),
        by.account_id,
        by.name,
    )
    if not await store.insert(conn, new, now):
        raise ChangedMeanwhile(file, base, base + 1, "somebody else", None)
    gone = {rule.code for rule in known.book.rules} - {rule.code for rule in book.rules}
    ended = await store.end_alarms_of(conn, sorted(gone), now) if gone else []
    asset_class = class_of(switched(file, base + 1, words))
    await store.look_again(conn, [asset_class] if asset_class else [], now)
    await notify(conn, "rules", [base + 1])
    await notify_each(conn, "alarm", [(community_id, alarm_id) for alarm_id, community_id in ended])
    return Switched(file, base + 1, tuple(ended))
