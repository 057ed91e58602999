"""Reads what a rehearsal needs to know of the past: as much of it as the two books of rules ask about."""

from collections.abc import Iterable

from psycopg import AsyncConnection

from config.vocabulary import load_vocabulary
from dispatch.rehearsal.past import Past
from dispatch.store import past as store
from dispatch.store.past import Asked
from rules.replay.crew import Order, Report
from rules.rule import INSPECTION, MODE, Rule


async def remember(conn: AsyncConnection, order: Order, report: Report) -> Past:
    """The past of the communities that a replay is about, from where its rules began to warm up."""
    every = [rule for book in (report.before, report.after) for rule in book.rules]
    mine = [rule for rule in every if rule.asset_class in order.classes]
    played = {rule.code for rule in mine} - set(report.skipped)
    asked = Asked(await store.communities(conn, order.community), report.warm_from, order.end)
    orders = await store.orders(conn, asked, _kinds(mine))
    others = await store.alarms(conn, asked, _named(mine) - played)
    return Past(
        places=await store.places(conn, {each.device_id for each in (*report.tally.stories, *others)}),
        mutes=await store.mutes(conn, asked),
        emergencies=await store.emergencies(conn, asked),
        inspections=await store.inspections(conn, asked, _said_by(mine)),
        orders=tuple(each for each in orders if each.lead not in played),
        for_alarms=tuple(each for each in orders if each.lead in played),
        others=others,
    )


def _kinds(rules: Iterable[Rule]) -> set[str]:
    """The kinds of work that these rules ask for or wait for."""
    kinds: set[str] = set()
    for rule in rules:
        kinds.update(rule.held_by.orders, rule.held_by.work)
        if rule.order is not None:
            kinds.add(rule.order.kind)
    return kinds


def _named(rules: Iterable[Rule]) -> set[str]:
    """The rules whose alarms keep people from alarms of these."""
    return {code for rule in rules for code in rule.held_by.rules}


def _said_by(rules: Iterable[Rule]) -> dict[str, int]:
    """By asset class whose rules ask: the number that is stored where an asset says it is in inspection."""
    vocabulary = load_vocabulary()
    classes = {rule.asset_class for rule in rules if rule.held_by.inspection}
    return {name: vocabulary.signals(name)[MODE].values.index(INSPECTION) for name in sorted(classes)}
