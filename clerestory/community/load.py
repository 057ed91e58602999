"""A community file as a whole: read and checked first, then loaded in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from clerestory.community import store
from clerestory.community.check import Checker, World
from clerestory.community.mistakes import Mistake, MistakesFound
from clerestory.community.parse import SECTIONS, Draft, Parser
from clerestory.community.read import Source, read_source
from clerestory.community.rows import Sections, sections
from config.profiles import load_profiles
from config.vocabulary import load_vocabulary
from dispatch import leaving
from gateway.devices import register
from gateway.devices import store as devices_store
from rules import places
from rules.book import RuleBook, load_rulebook
from storage.notify import notify

# Statements that belong to one section in the eyes of whoever wrote the file.
_PARTS = {
    "areas": ("areas", "thresholds"),
    "buildings": ("buildings",),
    "units": ("units",),
    "parties": ("parties",),
    "occupancies": ("occupancies",),
    "assets": ("assets", "parents"),
    "devices": ("devices",),
    "technicians": ("technicians", "skills", "covered", "shifts"),
    "plans": ("plans",),
    "charge_items": ("charge_items",),
    "parking_spaces": ("parking_spaces",),
    "meters": ("meters",),
    "meter_readings": ("meter_readings",),
}
# What stands on others goes first.
_REMOVAL_ORDER = (
    "meters",
    "parking_spaces",
    "charge_items",
    "plans",
    "technicians",
    "devices",
    "assets",
    "parties",
    "units",
    "buildings",
    "areas",
)


@dataclass(slots=True)
class Changes:
    """What loading did to one section, by the names people know."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.retired)


@dataclass(slots=True)
class LoadReport:
    """What loading a community changed. `kept` rows are not in the file, but others still refer to them."""

    community: str
    community_id: int
    sections: dict[str, Changes] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return any(self.sections.values())


@dataclass(frozen=True, slots=True)
class Checked:
    """A community file without mistakes."""

    draft: Draft
    source: Source
    sections: Sections


def check_community(path: Path, book: RuleBook | None = None) -> Checked:
    """Read and check a file against the rules (the shipped ones unless told otherwise).

    Raises `MistakesFound` with every mistake in it.
    """
    source, mistakes = read_source(path)
    parser = Parser(source)
    draft = parser.parse() if source.data or not mistakes else Draft()
    for mistake in mistakes:
        # A part that could not be read hides what it says of any section; within a section, of that one.
        section = str(mistake.path[0]) if mistake.path else "include"
        draft.lost |= SECTIONS if section == "include" else {section}
    book = book or load_rulebook()
    attributes = {asset_class: book.attributes(asset_class) for asset_class in book.sets}
    world = World(load_vocabulary(), load_profiles(), frozenset(book.kinds()), attributes)
    checker = Checker(source, draft, world)
    mistakes += [*parser.mistakes, *checker.check()]
    if mistakes:
        raise MistakesFound(mistakes)
    return Checked(draft, source, sections(draft))


async def load_community(
    conn: AsyncConnection, path: Path, now: datetime, book: RuleBook | None = None
) -> LoadReport:
    """Make the database say what the file says and report what changed; the caller owns the transaction."""
    checked = check_community(path, book)
    foreign = await _foreign_devices(conn, checked)
    if foreign:
        raise MistakesFound(foreign)
    today = now.astimezone(ZoneInfo(checked.sections.community["timezone"])).date()
    community_id, touched = await store.put_community(conn, checked.sections.community)
    report = LoadReport(checked.sections.community["code"], community_id)
    report.sections["community"] = _changes([touched] if touched else [])
    rows = checked.sections.rows
    # Before any device is written: a batch of messages has the memories first, and then the devices.
    await places.lock(conn, await store.device_ids(conn, community_id))
    before = await devices_store.registered(conn, [community_id])
    await store.free_dev_euis(conn, community_id, rows["devices"])
    for section, parts in _PARTS.items():
        report.sections[section] = await _put(conn, report, parts, rows, today)
    gone, ended = await store.end_occupancies(conn, community_id, rows["occupancies"], today)
    report.sections["occupancies"].removed += gone
    report.sections["occupancies"].retired += ended
    for section in _REMOVAL_ORDER:
        await _remove_absent(conn, report, section, checked.sections, now, today)
    await register.note_moves(conn, community_id, before, register.Hand(now, "command"))
    await leaving.settle(conn, now, await store.device_ids(conn, community_id))
    if report.changed:
        devices = report.sections["devices"]
        codes = [*devices.added, *devices.changed, *devices.retired]
        await notify(conn, "registry", await store.device_ids(conn, community_id, codes), community_id)
    return report


async def _put(
    conn: AsyncConnection,
    report: LoadReport,
    parts: Sequence[str],
    rows: dict[str, list[dict[str, object]]],
    today: date,
) -> Changes:
    touched: list[store.Touched] = []
    for part in parts:
        touched += await store.put(conn, part, report.community_id, rows[part], today)
    return _changes(touched)


def _changes(touched: Sequence[store.Touched]) -> Changes:
    added = sorted({each.name for each in touched if each.added})
    return Changes(added=added, changed=sorted({each.name for each in touched} - set(added)))


async def _remove_absent(
    conn: AsyncConnection, report: LoadReport, section: str, made: Sections, now: datetime, today: date
) -> None:
    changes = report.sections[section]
    for row_id, name in await store.absent(conn, section, report.community_id, made.rows[section]):
        if section == "technicians":
            await store.leave_areas(conn, report.community_id, row_id, today)
            changes.retired.append(name)
        elif await store.delete_or_keep(conn, section, row_id):
            changes.removed.append(name)
        elif await store.retire(conn, section, row_id, now, today):
            changes.retired.append(name)
        else:
            changes.kept.append(name)


async def _foreign_devices(conn: AsyncConnection, checked: Checked) -> list[Mistake]:
    """A DevEUI is one device's in the whole installation: the file alone cannot show a clash."""
    at = {
        entry.spec.device.dev_eui: (*entry.path, "device", "dev_eui")
        for entry in checked.draft.assets
        if entry.spec.device and entry.spec.device.dev_eui
    }
    owners = await store.foreign_dev_euis(conn, checked.sections.community["code"], list(at))
    return [
        checked.source.mistake(at[dev_eui], dev_eui, f"already belongs to {owner}; each radio has its own")
        for dev_eui, owner in owners.items()
    ]
