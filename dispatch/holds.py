"""What keeps an alarm from people at this moment, and how that is said. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from config.text import Text
from dispatch.alarm_policy import EmergencyPolicy
from dispatch.policy import Policy
from dispatch.status import Severity
from rules.rule import HeldBy

HeldBecause = Literal["mute", "inspection", "order", "parent", "alarm", "emergency"]


@dataclass(frozen=True, slots=True)
class Mute:
    """A standing mute that fits the alarm."""

    name: str
    why: str
    until: datetime


@dataclass(frozen=True, slots=True)
class OtherOrder:
    """A live order of the alarm's asset, not the alarm's own."""

    number: str
    kind: str


@dataclass(frozen=True, slots=True)
class OtherAlarm:
    """A live alarm of the parent asset or of the asset itself."""

    title: Text
    asset: Text


@dataclass(frozen=True, slots=True)
class Emergency:
    """The declared emergency of the alarm's community."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that decides whether people hear of one alarm, read at one moment.

    `order`, `parent` and `alarm` are only what the rule asked about.
    """

    alarm_id: int
    community_id: int
    community: str
    asset_id: int
    area_id: int
    asset_class: str
    zone: str
    severity: Severity
    facts: dict[str, Any]
    asset: Text
    held_by: HeldBecause | None  # as it stands in the database
    held: Text
    had_order: bool
    has_order: bool  # one that is not over
    mute: Mute | None
    in_inspection: bool
    order: OtherOrder | None
    parent: OtherAlarm | None
    alarm: OtherAlarm | None
    emergency: Emergency | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Why people are kept from an alarm."""

    because: HeldBecause
    why: Text


def hold_of(standing: Standing, rule: HeldBy, policy: Policy) -> Hold | None:
    """The first thing that keeps people from the alarm, what people decided first; None: tell them."""
    if standing.mute is not None:
        return Hold("mute", _muted(standing.mute, ZoneInfo(standing.zone)))
    if standing.in_inspection or standing.order is not None:
        return _at_work(standing, policy)
    if standing.parent is not None:
        return Hold("parent", _beside(standing.parent, Text(zh="上级设备 ", en="its parent ")))
    if standing.alarm is not None:
        return Hold("alarm", _beside(standing.alarm, Text(zh="", en="")))
    if standing.emergency is not None and waits(standing.severity, rule, policy.alarms.emergency):
        return Hold("emergency", _emergency(standing.emergency, policy.alarms.emergency))
    return None


def waits(severity: Severity, rule: HeldBy, policy: EmergencyPolicy) -> bool:
    """Whether an alarm waits for the end of an emergency; a critical one never does."""
    if severity == "critical" or rule.emergency is False:
        return False
    return rule.emergency is True or severity in policy.holds


def _muted(mute: Mute, zone: ZoneInfo) -> Text:
    until = f"{mute.until.astimezone(zone):%Y-%m-%d %H:%M}"
    return Text(
        zh=f"已由 {mute.name} 静音至 {until}：{mute.why}",
        en=f"muted by {mute.name} until {until}: {mute.why}",
    )


def _at_work(standing: Standing, policy: Policy) -> Hold:
    asset, order = standing.asset, standing.order
    if standing.in_inspection or order is None:
        said = Text(zh=f"暂不通知：{asset.zh} 处于检修状态", en=f"held: {asset.en} is in inspection")
        return Hold("inspection", said)
    kind = policy.kind_name(order.kind)
    said = Text(
        zh=f"暂不通知：{asset.zh} 有{kind.zh}工单 {order.number}",
        en=f"held: {asset.en} is under {_small(kind.en)} order {order.number}",
    )
    return Hold("order", said)


def _beside(other: OtherAlarm, whose: Text) -> Text:
    return Text(
        zh=f"暂不通知：{whose.zh}{other.asset.zh} 有告警“{other.title.zh}”",
        en=f"held: {whose.en}{other.asset.en} has the alarm “{other.title.en}”",
    )


def _emergency(emergency: Emergency, policy: EmergencyPolicy) -> Text:
    names = {str(kind): name for kind, name in policy.kinds.items()}
    kind = names.get(emergency.kind, Text(zh=emergency.kind, en=emergency.kind))
    return Text(
        zh=f"暂不通知：小区处于紧急状态（{kind.zh}）：{emergency.reason}",
        en=f"held: the community is in a declared emergency ({_small(kind.en)}): {emergency.reason}",
    )


def _small(words: str) -> str:
    return f"{words[:1].lower()}{words[1:]}"
