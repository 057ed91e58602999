"""Completing an order: the checklist, parts and time become a maintenance record that is never changed."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch.checklist import CheckAnswer
from dispatch.people import By


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
    summary: Text = Text(zh="", en="")


@dataclass(frozen=True, slots=True)
class Completed:
    """The record that completing wrote."""

    order_id: int
    record_id: int
    repeated: bool = False


async def complete(
    conn: AsyncConnection, order_id: int, by: By, completion: Completion, now: datetime
) -> Completed:
    """Finish the work. May raise ChecklistIncomplete, BadField, IllegalMove, NotYours."""
    raise NotImplementedError
