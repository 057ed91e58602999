"""The states of a work order and the moves between them, as data. Pure."""

from typing import Literal, get_args

from config.text import Text

Status = Literal[
    "open",
    "assigned",
    "accepted",
    "en_route",
    "in_progress",
    "on_hold",
    "completed",
    "verified",
    "closed",
    "cancelled",
    "merged",
    "reopened",
]
STATUSES: tuple[Status, ...] = get_args(Status)

Severity = Literal["critical", "major", "minor", "info"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

# From each status, where an order may go next. A status moving to itself is a note and is always allowed.
MOVES: dict[Status, frozenset[Status]] = {
    "open": frozenset({"assigned", "cancelled", "merged"}),
    "assigned": frozenset({"accepted", "open", "cancelled", "merged"}),
    "accepted": frozenset({"en_route", "assigned", "open", "cancelled", "merged"}),
    "en_route": frozenset({"in_progress", "assigned", "open", "cancelled", "merged"}),
    "in_progress": frozenset({"on_hold", "completed", "assigned", "open", "cancelled"}),
    "on_hold": frozenset({"in_progress", "assigned", "open", "cancelled"}),
    "completed": frozenset({"verified", "reopened"}),
    "verified": frozenset({"closed", "reopened"}),
    "closed": frozenset({"reopened"}),
    "cancelled": frozenset(),
    "merged": frozenset(),
    "reopened": frozenset({"assigned", "cancelled", "merged"}),
}

STATUS_LABELS: dict[Status, Text] = {
    "open": Text(zh="待派", en="open"),
    "assigned": Text(zh="已派", en="assigned"),
    "accepted": Text(zh="已接单", en="accepted"),
    "en_route": Text(zh="在途", en="en route"),
    "in_progress": Text(zh="处理中", en="in progress"),
    "on_hold": Text(zh="挂起", en="on hold"),
    "completed": Text(zh="已完成", en="completed"),
    "verified": Text(zh="已核验", en="verified"),
    "closed": Text(zh="已关闭", en="closed"),
    "cancelled": Text(zh="已取消", en="cancelled"),
    "merged": Text(zh="已合并", en="merged"),
    "reopened": Text(zh="已重开", en="reopened"),
}

# The technician's one big button in each status: the move's name in `dispatch.moves` (finishing is
# `dispatch.records.complete`) and the words on it.
NEXT_MOVES: dict[Status, tuple[str, Text]] = {
    "assigned": ("accept", Text(zh="接单", en="Accept")),
    "accepted": ("set_off", Text(zh="出发", en="Set off")),
    "en_route": ("arrive", Text(zh="到场", en="Arrive")),
    "in_progress": ("complete", Text(zh="完成", en="Finish")),
    "on_hold": ("resume", Text(zh="恢复处理", en="Resume")),
}

# Statuses in which nobody has taken the order yet: the matching looks for somebody.
WAITING: frozenset[Status] = frozenset({"open", "reopened"})
# Statuses in which nobody has accepted it, whether or not somebody is asked.
UNACCEPTED: frozenset[Status] = WAITING | {"assigned"}
# Statuses in which a technician holds the order.
HELD: frozenset[Status] = frozenset({"accepted", "en_route", "in_progress", "on_hold"})
# Statuses in which somebody is at work, or has interrupted it.
AT_WORK: frozenset[Status] = frozenset({"in_progress", "on_hold"})
# Statuses that ask for somebody's attention; the others are over (or wait for the office only).
LIVE: frozenset[Status] = UNACCEPTED | HELD


def allowed(before: Status, after: Status) -> bool:
    """Whether an order may go from one status to the other."""
    return after in MOVES[before]
