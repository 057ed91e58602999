"""What is configured, reachable and migrated, and for each problem what is wrong and how to mend it.

Looks without changing: it makes no directory and applies no migration.
"""

import asyncio
import difflib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg import AsyncConnection

from clerestory.set_thresholds import passed_over
from clerestory.store import all_thresholds
from config.clock import Clock
from config.profile_files import ProfileFileError, read_folder
from config.profiles import load_profiles
from config.settings import PREFIX, Settings, unknown_variables, without_password
from gateway.broker import mosquitto_path
from gateway.link import Link, LinkFailed
from rules.document import RuleFileError
from rules.versions.living import Rules
from storage.binaries import BinariesMissing, runnable_bin
from storage.datadir import DataDir
from storage.embedded import open_database, running_url
from storage.health import Health, inspect
from storage.migrate import SchemaState, state
from storage.pool import DatabaseUnreachable
from storage.unprivileged import DataDirUnreachable

OLDEST_POSTGRES = 16
LARGEST_SKEW_SECONDS = 5.0
LEAST_FREE = 1 << 30
DATABASE, BROKER = "postgres", "broker"  # below the data directory

Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `mend` says what to do about a problem."""

    about: str
    status: Status
    what: str
    mend: str = ""


async def examine(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """All there is to say about this installation, as it is found out."""
    for finding in (*check_variables(), configured(settings), *check_profiles(settings)):
        yield finding
    for finding in check_data_dir(settings):
        yield finding
    async with _database(settings) as (url, finding):
        yield finding
        if url is not None:
            async for each in check_database(url, clock):
                yield each
                if each.about == "schema" and each.status == "ok":
                    for threshold in await check_thresholds(url, settings):
                        yield threshold
    yield await check_broker(settings)


def check_variables() -> list[Finding]:
    """Variables that carry our prefix and set nothing."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    found = []
    for name in unknown_variables():
        near = difflib.get_close_matches(name, known, n=1)
        mend = f"rename it to {near[0]}" if near else f"remove it; there are: {', '.join(known)}"
        found.append(Finding("settings", "problem", f"{name} sets nothing: there is no such setting", mend))
    return found or [Finding("settings", "ok", "every CLERESTORY_ variable is known")]


def check_profiles(settings: Settings) -> list[Finding]:
    """Whether the site's own device profiles can be used; nothing to say where there are none."""
    if settings.profiles_dir is None:
        return []
    try:
        own = read_folder(settings.profiles_dir, load_profiles().by_name)
    except ProfileFileError as error:
        return [Finding("profiles", "problem", line, "see docs/profiles.md") for line in error.lines]
    return [Finding("profiles", "ok", f"{len(own)} of your own in {settings.profiles_dir}")]


def configured(settings: Settings) -> Finding:
    """What holds, set or by default, apart from the servers that have lines of their own."""
    return Finding(
        "settings",
        "ok",
        f"pages on {settings.http} as {settings.public_url}, readings kept {settings.retention_days} days,"
        f" log level {settings.log_level}",
    )


def check_data_dir(settings: Settings) -> list[Finding]:
    """Whether our own servers could write where they are to; nothing to say where there are none."""
    if settings.database_url is not None and settings.mqtt_url is not None:
        return [Finding("data directory", "note", "not used: database and broker are elsewhere")]
    nearest = settings.data_dir
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return [
            Finding(
                "data directory",
                "problem",
                f"{settings.data_dir} cannot be written: {nearest} is not a directory of this user",
                f"set {PREFIX}DATA_DIR to a directory that this user may write",
            )
        ]
    free = shutil.disk_usage(nearest).free
    if free < LEAST_FREE:
        return [
            Finding(
                "data directory",
                "problem",
                f"only {free >> 20} MiB are free below {nearest}",
                "make room: while the disk is full nothing is stored, and nothing acknowledged to devices",
            )
        ]
    made = "is writable" if nearest == settings.data_dir else "does not exist yet and can be made"
    found = [Finding("data directory", "ok", f"{settings.data_dir} {made}")]
    if settings.database_url is None:
        found.append(_check_own_server(settings.data_dir / DATABASE, nearest))
    return found


def _check_own_server(directory: Path, nearest: Path) -> Finding:
    try:
        account = DataDir(directory).account
        runnable_bin(account)
    except (BinariesMissing, DataDirUnreachable) as error:
        return Finding(
            "own PostgreSQL", "problem", str(error), f"or set {PREFIX}DATABASE_URL to a server you have"
        )
    if not account.can_pass(nearest):
        return Finding(
            "own PostgreSQL",
            "problem",
            f"it runs as {account.name}, who cannot reach {nearest}",
            f"set {PREFIX}DATA_DIR to a directory that everybody may pass, e.g. /var/lib/clerestory",
        )
    return Finding("own PostgreSQL", "ok", f"its programs run as {account.name}")


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[str | None, Finding]]:
    """The database to look into: the one given, our own that runs, or our own started for this look."""
    about = "database"
    if settings.database_url is not None:
        yield settings.database_url, Finding(about, "ok", f"set to {without_password(settings.database_url)}")
        return
    directory = settings.data_dir / DATABASE
    if not (directory / "lock").exists():
        yield None, Finding(about, "note", f"our own, made in {directory} at the first start")
        return
    running = running_url(directory)
    async with AsyncExitStack() as stack:
        try:
            url = running or await stack.enter_async_context(open_database(directory))
        except RuntimeError as error:
            yield None, Finding(about, "problem", str(error), "see the message, then run this again")
            return
        how = "running" if running else "not running, started for this look"
        yield url, Finding(about, "ok", f"our own in {directory}, {how}")


async def check_database(url: str, clock: Clock) -> AsyncIterator[Finding]:
    """What the database is and has."""
    before = clock.now()
    try:
        health = await inspect(url)
    except DatabaseUnreachable as error:
        yield Finding(
            "database",
            "problem",
            str(error),
            f"start the server, or correct {PREFIX}DATABASE_URL (host, port, user, password, database)",
        )
        return
    after = clock.now()
    yield Finding("database", "ok", f"reachable, PostgreSQL {health.version}")
    for finding in judge(health, before, after):
        yield finding
    yield judge_schema(await asyncio.to_thread(state, url))


async def check_thresholds(url: str, settings: Settings) -> list[Finding]:
    """Whether what is set for communities, areas and assets can hold under the rules that are in force."""
    try:
        rules = Rules(settings.rules_dir)
    except RuleFileError as error:
        return [
            Finding("rules", "problem", str(error.problems[0]), "run `clerestory rules check` on the file")
        ]
    async with await AsyncConnection.connect(url) as conn:
        book, found = await rules.now(conn), await all_thresholds(conn)
    mend = "set it on /thresholds or in the community's file; until then the outer value holds"
    wrong = [Finding("thresholds", "problem", each, mend) for each in passed_over(found, book)]
    return wrong or [Finding("thresholds", "ok", "all that are set can hold")]


def judge(health: Health, before: datetime, after: datetime) -> list[Finding]:
    """What to say about a reachable database, asked between two moments of our clock."""
    found = []
    if health.major < OLDEST_POSTGRES:
        what = f"PostgreSQL {health.version} is too old"
        found.append(Finding("database", "problem", what, f"use PostgreSQL {OLDEST_POSTGRES} or newer"))
    if health.encoding != "UTF8":
        what = f"it stores text as {health.encoding}, which cannot hold Chinese"
        found.append(Finding("database", "problem", what, "create the database anew with ENCODING 'UTF8'"))
    if health.read_only:
        found.append(
            Finding(
                "database",
                "problem",
                "it is read-only: nothing is stored, and nothing acknowledged to devices",
                "connect to the primary instead of a replica, or set default_transaction_read_only to off"
                " (a provider sets it where its disk is full)",
            )
        )
    zone = f"server in {health.timezone}, our sessions in {health.session_timezone}"
    found.append(Finding("time zone", "ok", zone))
    skew = max((before - health.now).total_seconds(), (health.now - after).total_seconds())
    if skew > LARGEST_SKEW_SECONDS:
        what = f"the database's clock and ours differ by {skew:.0f} s"
        found.append(Finding("clock", "problem", what, "let both machines follow a time server (NTP)"))
    for name in health.community_timezones:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            what = f"a community's time zone {name!r} is not known here"
            found.append(
                Finding("time zone", "problem", what, "write it as in Asia/Shanghai and load the community")
            )
    found.append(Finding("TimescaleDB", "note" if not health.timescaledb else "ok", _timescale(health)))
    return found


def _timescale(health: Health) -> str:
    if health.timescaledb:
        return f"yes, {health.timescaledb}: readings are kept in a hypertable"
    if health.timescaledb_available:
        return "no, though the server offers it: readings are kept in native partitions"
    return "no: readings are kept in native partitions"


def judge_schema(found: SchemaState) -> Finding:
    """Whether the database fits this version."""
    if found.unknown:
        what = f"migrated by a newer version ({', '.join(found.unknown)})"
        return Finding("schema", "problem", what, "start that version, or restore a backup from before")
    if found.waiting:
        what = f"{len(found.waiting)} migrations wait, the first is {found.waiting[0]}"
        return Finding("schema", "problem", what, "run `clerestory migrate`; every start does so, too")
    if found.changed:
        what = f"files changed after they were applied: {', '.join(found.changed)}"
        return Finding("schema", "problem", what, "put the files back; a correction is a new migration")
    return Finding("schema", "ok", "up to date")


async def check_broker(settings: Settings, which: Callable[[], str | None] = mosquitto_path) -> Finding:
    """Whether the broker answers; where it is our own, whether there is one to run."""
    if settings.mqtt_url is None:
        program = which()
        if program:
            return Finding("broker", "ok", f"our own: {program}")
        return Finding(
            "broker",
            "note",
            "our own would be amqtt, which is only for trying out: a restart loses messages",
            "install mosquitto (apt install mosquitto)",
        )
    link = Link(settings.mqtt_url, f"clerestory-doctor-{uuid4().hex[:8]}", clean_session=True)
    try:
        await link.open()
    except LinkFailed as error:
        mend = f"start the broker, or correct {PREFIX}MQTT_URL (host, port, user, password)"
        return Finding("broker", "problem", str(error), mend)
    await link.close()
    return Finding("broker", "ok", f"reachable: {without_password(settings.mqtt_url)}")
