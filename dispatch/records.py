"""Completing an order: the checklist, parts and time become a maintenance record that is never changed."""

from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from psycopg import AsyncConnection

from config.checklist import read_items
from config.text import Text
from dispatch import lifecycle, report
from dispatch.checklist import CheckAnswer, faults
from dispatch.moving import move, only_holder
from dispatch.order import Order
from dispatch.people import By
from dispatch.policy import Policy, shipped_policy
from dispatch.refusals import BadField, ChecklistIncomplete, IllegalMove
from dispatch.store import photographs, records
from dispatch.words import plain

LONGEST_LABOUR = 7 * 24 * 60
LONGEST_WORDS = 4000
LONGEST_NAME = 200
MOST_PARTS = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was used."""

    name: str
    quantity: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the technician hands in. Photos were added before with `dispatch.photos.add`.

    `result`: a code of policy.results (e.g. fixed, temporary). `summary` is for residents; what is left empty
    is written from the order's title and result.
    """

    answers: tuple[CheckAnswer, ...]
    labour_minutes: int
    parts: tuple[Part, ...] = ()
    result: str = "fixed"
    summary: Text = field(default_factory=lambda: Text(zh="", en=""))


@dataclass(frozen=True, slots=True)
class Completed:
    """The record that completing wrote."""

    order_id: int
    record_id: int
    repeated: bool = False


async def complete(
    conn: AsyncConnection,
    order_id: int,
    by: By,
    completion: Completion,
    now: datetime,
    policy: Policy | None = None,
) -> Completed:
    """Finish the work. May raise ChecklistIncomplete, BadField, IllegalMove, NotYours."""
    rules = policy or shipped_policy()
    _check(completion, rules)

    async def decide(order: Order) -> Order:
        only_holder(order, by)
        after = lifecycle.completed(order, now)
        await _write(conn, order, completion, now, rules)
        return after

    why = rules.results[completion.result]
    moved = await move(conn, order_id, by, now, to=frozenset({"completed"}), why=why, decide=decide)
    written = await records.latest_of_order(conn, order_id)
    if written is None:
        raise IllegalMove(order_id, moved.before, "completed")
    return Completed(order_id, written.id, moved.repeated)


async def _write(
    conn: AsyncConnection, order: Order, completion: Completion, now: datetime, policy: Policy
) -> None:
    facts = await records.facts_for(conn, order.id)
    items = read_items(facts["checklist"])
    found = faults(items, completion.answers)
    if found:
        raise ChecklistIncomplete(found)
    earlier = await records.latest_of_order(conn, order.id)
    photos = await photographs.of_order(conn, order.id)
    head = await records.lock_chain(conn, order.community_id)
    body: dict[str, Any] = {
        "v": 1,
        "community": order.community,
        "seq": head.seq + 1 if head else 1,
        "prev_hash": head.hash if head else report.BEGINNING,
        "supersedes": earlier.seq if earlier else None,
        "order": {"id": order.id, "number": order.number, "title": report.text(order.title)},
        "asset": _asset(facts),
        "kind": order.kind,
        "kind_name": report.text(policy.kind_name(order.kind)),
        "checklist": report.checked(items, completion.answers),
        "parts": [{"name": p.name.strip(), "quantity": p.quantity, "unit": p.unit} for p in completion.parts],
        "labour_minutes": completion.labour_minutes,
        "photos": photos,
        "technician": {"id": facts["staff_id"], "code": facts["staff_code"], "name": facts["staff_name"]},
        "summary": report.text(_summary(order, completion, policy)),
        "result": {"code": completion.result, **report.text(policy.results[completion.result])},
        "delivered": completion.result not in policy.undelivered,
        "next_due": report.day(facts["next_due"]),
        "completed_at": report.moment(now),
    }
    if len(facts["alarms"]) > 1:  # the work was about all of them, and counts for each of their assets
        body["alarms"] = facts["alarms"]
    written = report.canonical(body)
    await records.insert(
        conn,
        {
            "community_id": order.community_id,
            "seq": body["seq"],
            "order_id": order.id,
            "asset_id": order.asset_id,
            "kind": order.kind,
            "staff_id": facts["staff_id"],
            "completed_at": now,
            "body": written,
            "prev_hash": body["prev_hash"],
            "hash": report.digest(written),
            "delivered": body["delivered"],
            "supersedes": earlier.id if earlier else None,
        },
    )


def _asset(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": facts["asset_id"],
        "code": facts["asset_code"],
        "class": facts["asset_class"],
        "name": {"zh": facts["name_zh"], "en": facts["name_en"]},
        "place": {"zh": facts["place_zh"], "en": facts["place_en"]},
    }


def _summary(order: Order, completion: Completion, policy: Policy) -> Text:
    """Take the technician's words; a language left empty is written from the order and the result."""
    result = policy.results[completion.result]
    said = completion.summary
    return Text(
        zh=said.zh.strip() or f"{order.title.zh}：{result.zh}。",
        en=said.en.strip() or f"{order.title.en}: {result.en[0].lower()}{result.en[1:]}.",
    )


def _check(completion: Completion, policy: Policy) -> None:
    if completion.result not in policy.results:
        listed = ", ".join(policy.results)
        raise BadField("result", completion.result, Text(zh=f"应为 {listed} 之一", en=f"one of {listed}"))
    minutes = completion.labour_minutes
    if not 0 <= minutes <= LONGEST_LABOUR:
        right = Text(zh=f"应为 0 至 {LONGEST_LABOUR} 分钟", en=f"minutes from 0 to {LONGEST_LABOUR}")
        raise BadField("labour_minutes", minutes, right)
    if len(completion.parts) > MOST_PARTS:
        right = Text(zh=f"最多 {MOST_PARTS} 种", en=f"at most {MOST_PARTS}")
        raise BadField("parts", len(completion.parts), right)
    for answer in completion.answers:
        plain(f"{answer.code}.remark", answer.remark)
        if isinstance(answer.value, str):
            plain(f"{answer.code}.value", answer.value)
    for index, part in enumerate(completion.parts):
        plain(f"parts[{index}].unit", part.unit, LONGEST_NAME)
        if not plain(f"parts[{index}].name", part.name, LONGEST_NAME):
            raise BadField(f"parts[{index}].name", part.name, Text(zh="不能为空", en="not empty"))
        if not (isfinite(part.quantity) and part.quantity > 0):
            raise BadField(
                f"parts[{index}].quantity", part.quantity, Text(zh="应大于 0", en="a number above 0")
            )
    for language, words in (("zh", completion.summary.zh), ("en", completion.summary.en)):
        plain(f"summary.{language}", words, LONGEST_WORDS)
