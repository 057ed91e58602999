"""The body of a maintenance record, its hash, and whether one fits the one before. Pure."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import rfc8785

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.checklist import CheckAnswer, in_range

# What the first record of a community's chain names as the one before it.
BEGINNING = "0" * 64


@dataclass(frozen=True, slots=True)
class Stored:
    """A record's row as the check reads it: the columns beside the body that the hash covers."""

    id: int
    community: str
    seq: int
    order_id: int
    order_number: str
    asset_id: int
    kind: str
    staff_id: int
    completed_at: datetime
    body: str
    prev_hash: str
    hash: str
    delivered: bool
    supersedes_seq: int | None


def canonical(body: dict[str, Any]) -> str:
    """Write the body as RFC 8785 canonical JSON: the same everywhere, so anyone can check its hash."""
    return rfc8785.dumps(body).decode()


def digest(body: str) -> str:
    """Hash a body."""
    return hashlib.sha256(body.encode()).hexdigest()


def moment(at: datetime) -> str:
    """Write a moment as every record does: UTC, microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def day(on: date | None) -> str | None:
    """Write a date as every record does."""
    return None if on is None else on.isoformat()


def text(words: Text) -> dict[str, str]:
    """Write a text as every record does."""
    return {"zh": words.zh, "en": words.en}


def checked(items: Sequence[ChecklistItem], answers: Sequence[CheckAnswer]) -> list[dict[str, Any]]:
    """Put each item, as it was asked, beside what was found."""
    given = {answer.code: answer for answer in answers}
    found = []
    for item in items:
        answer = given.get(item.code) or CheckAnswer(code=item.code)
        found.append(
            {
                **item.model_dump(mode="json"),
                "value": answer.value,
                "good": in_range(item, answer.value),
                "remark": answer.remark.strip(),
            }
        )
    return found


def misfit(record: Stored, before: Stored | None) -> Text | None:
    """Say what does not fit about a record that follows `before` in its chain; None where all does."""
    seq = before.seq + 1 if before else 1
    prev = before.hash if before else BEGINNING
    if record.seq != seq:
        return Text(
            zh=f"序号应为 {seq}：中间的记录缺失", en=f"its number should be {seq}: records before it are gone"
        )
    if record.prev_hash != prev:
        return Text(zh="前一记录的哈希不符", en="it does not name the hash of the record before it")
    if digest(record.body) != record.hash:
        return Text(zh="内容与哈希不符：内容被改动", en="its body does not match its hash: it was altered")
    return _columns_misfit(record)


def _columns_misfit(record: Stored) -> Text | None:
    try:
        body = json.loads(record.body)
        said = {
            "community": body["community"],
            "seq": body["seq"],
            "order_id": body["order"]["id"],
            "order_number": body["order"]["number"],
            "asset_id": body["asset"]["id"],
            "kind": body["kind"],
            "staff_id": body["technician"]["id"],
            "completed_at": body["completed_at"],
            "prev_hash": body["prev_hash"],
            "delivered": body["delivered"],
            "supersedes_seq": body["supersedes"],
        }
    except (ValueError, KeyError, TypeError) as error:
        return Text(zh=f"内容无法读取：{error!r}", en=f"its body cannot be read: {error!r}")
    for name, value in said.items():
        column = getattr(record, name)
        kept = moment(column) if isinstance(column, datetime) else column
        if kept != value:
            return Text(
                zh=f"字段 {name} = {kept!r} 与内容中的 {value!r} 不符",
                en=f"its column {name} = {kept!r} differs from {value!r} in the body",
            )
    return None
