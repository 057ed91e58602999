"""What stands behind the work: records, their chain, photos, an asset's history."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from psycopg import AsyncConnection

from config.text import Text


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """One line of the report: what was checked and what was found."""

    code: str
    label: Text
    value: Text  # in words: "3.2 mm", "是 / yes"
    range: Text | None
    good: bool
    remark: str


@dataclass(frozen=True, slots=True)
class RecordView:
    """A maintenance record as a resident can read it."""

    record_id: int
    community_id: int
    community: Text
    seq: int
    order_id: int
    order_number: str
    asset_id: int
    building_id: int | None
    asset: Text
    asset_code: str
    place: Text
    kind: str
    kind_name: Text
    completed_at: datetime
    technician: str
    checklist: tuple[CheckedItem, ...]
    parts: tuple[tuple[str, str], ...]  # name, "2 pcs"
    labour_minutes: int
    photos: tuple[str, ...]  # sha256
    summary: Text
    result: Text
    next_due: date | None
    hash: str
    prev_hash: str
    superseded_by: int | None  # the record that corrects this one


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """Whether a record is unchanged and fits its neighbours."""

    state: Literal["good", "broken"]
    text: Text  # "verified: unchanged since 2026-10-14", or what does not fit


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo's bytes."""

    mime: str
    content: bytes
    order_ids: tuple[int, ...]  # the orders it belongs to, for checking who may see it


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to an asset."""

    at: datetime
    kind: Literal["alarm", "order", "record"]
    title: Text
    id: int


@dataclass(frozen=True, slots=True)
class AssetHistory:
    """An asset and what happened to it, newest first."""

    asset_id: int
    name: Text
    place: Text
    entries: tuple[HistoryEntry, ...]


async def record_view(conn: AsyncConnection, record_id: int) -> RecordView | None:
    """Read a record for its page; None where there is none."""
    raise NotImplementedError


async def chain_status(conn: AsyncConnection, record_id: int) -> ChainStatus:
    """Recompute the record's hash and check its links to both neighbours."""
    raise NotImplementedError


async def photo(conn: AsyncConnection, sha256: str) -> Photo | None:
    """Read a photo."""
    raise NotImplementedError


async def asset_history(conn: AsyncConnection, asset_id: int, limit: int = 50) -> AssetHistory | None:
    """Read what happened to an asset."""
    raise NotImplementedError
