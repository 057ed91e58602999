"""The desk's rows: board, story and people put into the form its templates show. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from config.text import Language, Text
from dispatch.policy import Policy
from dispatch.roster import Technician, next_on_shift, on_shift
from dispatch.store import Board, BoardAlarm, BoardOrder, Candidate, StoryEntry
from web.deadlines import Deadline, pressing
from web.words import say


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One alarm or order in the queue."""

    key: str
    address: str
    severity: str
    title: str
    place: str
    who: str
    state: str
    due: Deadline | None
    since: datetime
    paused: bool
    escalation: str


@dataclass(frozen=True, slots=True)
class QueueGroup:
    """Rows under one heading."""

    title: Text
    rows: tuple[QueueRow, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of an order's story."""

    at: datetime
    title: str
    detail: str
    who: str
    icon: str
    tone: str
    record_id: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """A technician in the list on the right."""

    name: str
    phone: str | None
    state: str
    tone: str
    icon: str
    words: str


def queue(board: Board, language: Language) -> list[QueueGroup]:
    """Return what needs somebody now, then what is under way by deadline, lone alarms, and what is done."""
    done = [order for order in board.orders if order.status in {"completed", "verified"}]
    running = [order for order in board.orders if order.status not in {"completed", "verified"}]
    urgent = [order for order in running if order.escalation is not None]
    others = [order for order in running if order.escalation is None]
    lone = [alarm for alarm in board.alarms if alarm.order_id is None]
    held = [alarm for alarm in lone if alarm.held is not None]
    alone = [alarm for alarm in lone if alarm.held is None and alarm.paged_at is not None]
    past = [alarm for alarm in lone if alarm.held is None and alarm.paged_at is None]
    return [
        QueueGroup(Text(zh="需要您处理", en="Needs you now"), _orders(urgent, language)),
        QueueGroup(Text(zh="进行中", en="Under way"), _orders(others, language)),
        QueueGroup(Text(zh="告警，无工单", en="Alarms without an order"), _alarms(alone, language)),
        QueueGroup(Text(zh="已完成，待核验", en="Done, to be verified"), _orders(done, language)),
        QueueGroup(Text(zh="补报的告警", en="Reported late"), _alarms(past, language)),
        QueueGroup(Text(zh="暂缓通知的告警", en="Held or muted"), _alarms(held, language)),
    ]


_NOBODY: Final = Text(zh="还没有人接", en="nobody has it yet")
_ASKED: Final = Text(zh="已询问 {}", en="asked: {}")
_ALARM: Final = Text(zh="告警", en="alarm")


def _orders(orders: Iterable[BoardOrder], language: Language) -> tuple[QueueRow, ...]:
    return tuple(
        QueueRow(
            key=order.number,
            address=f"/desk/orders/{order.number}",
            severity=order.severity,
            title=order.title[language],
            place=order.place[language],
            who=who_has(order, language),
            state=say("status", order.status, language),
            due=pressing(order.deadline, order.deadline_at),
            since=order.opened_at,
            paused=order.paused,
            escalation=order.escalation[language] if order.escalation else "",
        )
        for order in orders
    )


def who_has(order: BoardOrder, language: Language) -> str:
    """Say who has the order, or who was asked."""
    if order.assignee is not None:
        return order.assignee
    if order.offered_to:
        return _ASKED[language].replace("{}", ("、" if language == "zh" else ", ").join(order.offered_to))
    return _NOBODY[language]


def _alarms(alarms: Iterable[BoardAlarm], language: Language) -> tuple[QueueRow, ...]:
    return tuple(
        QueueRow(
            key=f"alarm-{alarm.alarm_id}",
            address=f"/alarms/{alarm.alarm_id}" if alarm.held else f"/desk/alarms/{alarm.alarm_id}",
            severity=alarm.severity,
            title=alarm.title[language],
            place=alarm.place[language],
            who=alarm.held[language] if alarm.held else alarm.device,
            state=_ALARM[language],
            due=None,
            since=alarm.raised_at,
            paused=False,
            escalation="",
        )
        for alarm in alarms
    )


_CHAPTERS: Final = {
    "signal": ("radio", ""),
    "alarm": ("bell-ring", "major"),
    "order": ("clipboard-list", "accent"),
    "offer": ("send", ""),
    "answer": ("user-check", ""),
    "move": ("arrow-right", "accent"),
    "note": ("message-square", ""),
    "escalation": ("megaphone", "critical"),
    "photo": ("camera", ""),
    "record": ("file-check", "good"),
}


def moments(story: Sequence[StoryEntry], language: Language) -> list[Moment]:
    """Return the story as the timeline shows it."""
    shown = []
    for entry in story:
        icon, tone = _CHAPTERS.get(entry.chapter, ("circle", ""))
        shown.append(
            Moment(
                at=entry.at,
                title=entry.title[language],
                detail=entry.detail[language],
                who=entry.who or "",
                icon=icon,
                tone=tone,
                record_id=entry.record_id,
            )
        )
    return shown


_FREE: Final = Text(zh="空闲", en="free")
_BUSY: Final = Text(zh="手头 {} 单", en="{} in hand")
_OFF: Final = Text(zh="未当班", en="off shift")
_BACK: Final = Text(zh="{} 上班", en="back {}")
_FITS: Final = Text(zh="可以派", en="can go")
_UNFIT: Final = Text(zh="不合适", en="does not fit")


def people(
    technicians: Iterable[Technician], now: datetime, zone: ZoneInfo, language: Language, policy: Policy
) -> list[Person]:
    """Return the technicians, those on shift with least in hand first."""
    return [
        _person(each, now, zone, language, policy)
        for each in sorted(
            technicians, key=lambda each: (not on_shift(each, zone, now), each.load, each.name)
        )
        if each.left_on is None or each.left_on > now.astimezone(zone).date()
    ]


def _person(
    technician: Technician, now: datetime, zone: ZoneInfo, language: Language, policy: Policy
) -> Person:
    present = on_shift(technician, zone, now)
    words = [policy.skill_name(skill)[language] for skill in technician.skills]
    if present:
        free = technician.load == 0
        state = _FREE[language] if free else _BUSY[language].replace("{}", str(technician.load))
        tone, icon = ("good", "circle-check") if free else ("accent", "wrench")
    else:
        state, tone, icon = _OFF[language], "waiting", "moon"
        if begins := next_on_shift(technician, zone, now):
            words.append(_BACK[language].replace("{}", f"{begins.astimezone(zone):%m-%d %H:%M}"))
    return Person(
        name=technician.name,
        phone=technician.phone,
        state=state,
        tone=tone,
        icon=icon,
        words=" · ".join(words),
    )


def suited(candidates: Iterable[Candidate], standing: Mapping[str, str], language: Language) -> list[Person]:
    """Return who could go for one order, with what speaks for or against each.

    `standing` are the offers of this round by name: who was asked and who has it come first.
    """
    shown = [
        Person(
            each.name,
            each.phone,
            words="" if each.name in standing else each.why[language],
            **_mark(each, standing, language),
        )
        for each in candidates
    ]
    return sorted(shown, key=lambda person: _TONES.index(person.tone))


_TONES: Final = ("accent", "major", "good", "waiting")
_HAS_IT: Final = Text(zh="已接单", en="has it")
_ASKED_NOW: Final = Text(zh="已询问，待答复", en="asked, not answered yet")


def _mark(candidate: Candidate, standing: Mapping[str, str], language: Language) -> dict[str, str]:
    match standing.get(candidate.name):
        case "accepted":
            return {"state": _HAS_IT[language], "tone": "accent", "icon": "user-check"}
        case "offered":
            return {"state": _ASKED_NOW[language], "tone": "major", "icon": "hourglass"}
    if candidate.eligible:
        return {"state": _FITS[language], "tone": "good", "icon": "circle-check"}
    return {"state": _UNFIT[language], "tone": "waiting", "icon": "circle-x"}
