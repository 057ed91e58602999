"""What a rule asks of people, in words: its order with deadlines and checklist, what holds it back. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.policy import Deadlines, Policy, deadlines_of
from dispatch.telling import group_of
from rules.moments import span
from rules.rule import Group, OrderTemplate, Rule
from rules.wording.parts import (
    NOTHING,
    OR,
    both,
    listed,
    number_text,
    plain,
    put,
    quoted,
    run,
    sentence,
    span_text,
    with_unit,
    within,
)

_GOALS: Final[Mapping[str, Text]] = {
    "respond": Text(zh="{span}内接单", en="accept within {span}"),
    "arrive": Text(zh="{span}内到场", en="arrive within {span}"),
    "complete": Text(zh="{span}内完成", en="finish within {span}"),
}
_COMMA: Final = Text(zh="，", en=", ")
_OFFICE_HOURS: Final = Text(zh="{goals}（只计办公时间）", en="{goals}, counting office hours only")
_GOES: Final = Text(
    zh="告警恢复时若还无人接单，工单自动取消。",
    en="If the alarm ends before anybody has accepted the order, it is cancelled.",
)
_STAYS: Final = Text(zh="告警恢复后工单仍要完成。", en="The order stays when the alarm ends.")
_SHARED: Final[Mapping[str, Text]] = {
    "asset": Text(
        zh="同一设备 {span}内的同类告警合为一张工单。",
        en="Alarms of one asset within {span} that ask for the same work share one order.",
    ),
    "area": Text(
        zh="同一区域 {span}内的同类告警合为一张工单。",
        en="Alarms of one area within {span} that ask for the same work share one order.",
    ),
}
_ALONE: Final = Text(zh="始终单独成单。", en="It always has an order of its own.")
_WORK: Final = Text(
    zh="有人正在处理该设备的{kinds}工单", en="somebody is at work on an order of this asset for {kinds}"
)
_ORDERS: Final = Text(zh="该设备有未完成的{kinds}工单", en="this asset has an open order for {kinds}")
_PARENTS: Final = Text(zh="上级设备有{alarms}告警", en="the parent asset has the alarm {alarms}")
_ALARMS: Final = Text(zh="该设备已有{alarms}告警", en="this asset has the alarm {alarms}")
_INSPECTION: Final = Text(zh="该设备处于检修状态", en="the asset is in inspection")
_EMERGENCY: Final = Text(zh="小区处于紧急状态", en="the community is in a declared emergency")
_THROUGH: Final = Text(
    zh="小区处于紧急状态时也照常通知。", en="People are told in a declared emergency, too."
)
_OPTIONAL: Final = Text(zh="选填", en="optional")
_FROM_TO: Final = Text(zh="{low} 至 {high}", en="{low} to {high}")
_FROM: Final = Text(zh="至少 {low}", en="at least {low}")
_TO: Final = Text(zh="至多 {high}", en="at most {high}")
_EXPLAINED: Final = Text(zh="{name}（{details}）", en="{name} ({details})")
_NO: Final = Text(zh="应为“否”", en="should be no")


@dataclass(frozen=True, slots=True)
class OrderWords:
    """The work a rule asks for. `goals` is empty where no deadline runs."""

    kind: Text
    skill: Text
    goals: Text
    ending: Text
    sharing: Text | None
    checklist: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class WorkWords:
    """What a rule asks of people. While one of `held` is so nobody is told; `through` is what never holds."""

    order: OrderWords | None
    held: tuple[Text, ...]
    through: Text | None


def work_words(rule: Rule, policy: Policy, title: Callable[[str], Text]) -> WorkWords:
    """Put what a rule asks of people into words; `title` names the rule of a code."""
    emergency = rule.held_by.emergency
    held = list(_held(rule, policy, title))
    if emergency is True or (emergency is None and rule.severity in policy.alarms.emergency.holds):
        held.append(_EMERGENCY)
    return WorkWords(
        order=None if rule.order is None else _order(rule, rule.order, policy),
        held=tuple(sentence(each) for each in held),
        through=_THROUGH if emergency is False else None,
    )


def _held(rule: Rule, policy: Policy, title: Callable[[str], Text]) -> Iterable[Text]:
    by = rule.held_by
    if by.work:
        yield put(_WORK, kinds=_kinds(by.work, policy))
    if by.orders:
        yield put(_ORDERS, kinds=_kinds(by.orders, policy))
    if by.parents:
        yield put(_PARENTS, alarms=listed([quoted(title(code)) for code in by.parents], OR))
    if by.alarms:
        yield put(_ALARMS, alarms=listed([quoted(title(code)) for code in by.alarms], OR))
    if by.inspection:
        yield _INSPECTION


def _kinds(kinds: Sequence[str], policy: Policy) -> Text:
    return listed([within(policy.kind_name(kind)) for kind in kinds], OR)


def _order(rule: Rule, order: OrderTemplate, policy: Policy) -> OrderWords:
    own = Deadlines(respond=order.respond, arrive=order.arrive, complete=order.complete)
    return OrderWords(
        kind=plain(policy.kind_name(order.kind)),
        skill=plain(policy.skill_name(order.skill)),
        goals=_goals(deadlines_of(policy, own, None, rule.severity)),
        ending=_GOES if order.cancel_on_clear else _STAYS,
        sharing=_ALONE if rule.group is False else _sharing(group_of(rule, policy)),
        checklist=tuple(_item(each) for each in order.checklist),
    )


def _goals(limits: Deadlines) -> Text:
    lengths: Mapping[str, timedelta | None] = {
        "respond": limits.respond, "arrive": limits.arrive, "complete": limits.complete,
    }  # fmt: skip
    in_office_hours = limits.clock == "business_hours"
    said = [
        # A day of office hours is three days of the calendar: such deadlines are said in hours.
        put(_GOALS[goal], span=span_text(span(length), days=not in_office_hours))
        for goal, length in lengths.items()
        if length is not None
    ]
    if not said:
        return NOTHING
    goals = run(said, _COMMA)
    return sentence(put(_OFFICE_HOURS, goals=goals) if in_office_hours else goals)


def _sharing(group: Group | None) -> Text | None:
    return None if group is None else put(_SHARED[group.by], span=span_text(span(group.within)))


def _item(item: ChecklistItem) -> Text:
    details = [part for part in (_range(item), _NO if not item.expected else None) if part is not None]
    if not item.required:
        details.append(_OPTIONAL)
    name = plain(item.name)
    return put(_EXPLAINED, name=name, details=run(details, _COMMA)) if details else name


def _range(item: ChecklistItem) -> Text | None:
    """Say between what a number has to be, with its unit."""
    unit = plain(both(item.unit or ""))
    low = number_text(item.min) if item.min is not None else None
    high = number_text(item.max) if item.max is not None else None
    if low is not None and high is not None:
        return with_unit(put(_FROM_TO, low=low, high=high), unit)
    if low is not None:
        return with_unit(put(_FROM, low=low), unit)
    if high is not None:
        return with_unit(put(_TO, high=high), unit)
    return unit if item.unit else None
