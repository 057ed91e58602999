"""Of alarms whose rules tell people: whom something keeps back, and what work the others ask for. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from config.signal_words import facts_text
from config.text import Text
from config.vocabulary import Signal, load_vocabulary
from dispatch.grouping import Opening
from dispatch.holds import Hold, Standing, hold_of
from dispatch.new_order import NewOrder
from dispatch.policy import Policy
from rules.rule import Group, OrderTemplate, Rule


@dataclass(frozen=True, slots=True)
class Sorted:
    """Alarms people hear of now, and by id what newly keeps them from the others."""

    free: list[Standing] = field(default_factory=list)
    holds: dict[int, Hold] = field(default_factory=dict)


def sort_out(
    standings: Iterable[Standing], rules: Mapping[int, Rule], told: Container[int], policy: Policy
) -> Sorted:
    """What becomes of alarms, by id with their rules: those in `told` their rules tell of now.

    The others became worse: they matter here where they were held, as what held them may let them through,
    and where their order is over: they ask for one again.
    """
    found = Sorted()
    for each in standings:
        hold = hold_of(each, rules[each.alarm_id].held_by, policy)
        again = each.had_order and not each.has_order
        if each.alarm_id not in told and each.held_by is None and not again:
            continue
        if hold is None:
            found.free.append(each)
        elif not each.has_order and (hold.because, hold.why) != (each.held_by, each.held):
            found.holds[each.alarm_id] = hold
    return found


def openings_of(free: Iterable[Standing], rules: Mapping[int, Rule], policy: Policy) -> list[Opening]:
    """The work that alarms people hear of ask for: where rules want any, and no order does it already."""
    return [
        _opening(each, rule, rule.order, policy)
        for each in free
        if not each.has_order and (rule := rules[each.alarm_id]).order is not None
    ]


def group_of(rule: Rule, policy: Policy) -> Group | None:
    """What alarms of a rule may share an order with, by the rule or by the house; None: nothing."""
    if rule.group is None:
        return policy.alarms.group.group if policy.alarms.group else None
    return rule.group or None


def _opening(standing: Standing, rule: Rule, template: OrderTemplate, policy: Policy) -> Opening:
    facts = facts_text(dict(sorted(standing.facts.items())), _signals(standing.asset_class))
    return Opening(
        alarm_id=standing.alarm_id,
        area_id=standing.area_id,
        title=rule.title,
        group=group_of(rule, policy),
        order=NewOrder(
            community_id=standing.community_id,
            asset_id=standing.asset_id,
            alarm_id=standing.alarm_id,
            kind=template.kind,
            skill=template.skill,
            severity=standing.severity,
            title=rule.title,
            what=_joined(rule.meaning, facts),
            todo=rule.todo,
            safety=rule.safety,
            checklist=template.checklist,
            cancel_on_clear=template.cancel_on_clear,
            respond=template.respond,
            arrive=template.arrive,
            complete=template.complete,
        ),
    )


def _signals(asset_class: str) -> Mapping[str, Signal]:
    vocabulary = load_vocabulary()
    return vocabulary.signals(asset_class) if asset_class in vocabulary.asset_classes else {}


def _joined(meaning: Text, facts: Sequence[tuple[Text, Text]]) -> Text:
    """Say what it means, and behind it in brackets what was heard."""
    if not facts:
        return meaning
    zh = "，".join(f"{label.zh} {value.zh}" for label, value in facts)
    en = ", ".join(f"{label.en} {value.en}" for label, value in facts)
    return Text(zh=f"{meaning.zh}（{zh}）", en=f"{meaning.en} ({en})")
