"""Maintenance plans: an order for each asset on each due date, once."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from config.checklist import read_items
from config.text import Text
from dispatch import office
from dispatch.orders import NewOrder, open_order
from dispatch.people import SYSTEM
from dispatch.policy import Policy, shipped_policy
from dispatch.recurrence import Recurrence
from dispatch.store import orders, plans
from dispatch.store.plans import Plan


def recurrence_of(plan: Plan) -> Recurrence:
    """Say when a plan is due."""
    return Recurrence(ZoneInfo(plan.zone), plan.starts_on, plan.every_days, plan.at_time, plan.retired_on)


async def run_due(conn: AsyncConnection, now: datetime, policy: Policy | None = None) -> list[int]:
    """Open the orders that are due by now; their ids.

    After downtime only the latest occurrence is opened and the earlier ones are recorded as missed. The
    primary key of plan_run lets each occurrence be opened once, whoever else runs.
    """
    rules = policy or shipped_policy()
    opened: list[int] = []
    for plan in await plans.plans(conn):
        recurrence = recurrence_of(plan)
        due_on = recurrence.latest(now)
        if due_on is None:
            continue
        for asset in await plans.waiting(conn, plan, due_on):
            if asset.last_on is not None:
                await plans.missed(conn, plan.id, asset.asset_id, recurrence.between(asset.last_on, due_on))
            if await plans.begin_run(conn, plan.id, asset.asset_id, due_on):
                opened.append(await _open(conn, plan, asset.asset_id, due_on, now, rules))
    return opened


async def times(conn: AsyncConnection) -> set[tuple[str, int, int]]:
    """List the local times at which plans are due: zone, hour, minute."""
    return {(plan.zone, plan.at_time.hour, plan.at_time.minute) for plan in await plans.plans(conn)}


async def _open(
    conn: AsyncConnection, plan: Plan, asset_id: int, due_on: date, now: datetime, policy: Policy
) -> int:
    missed = Text(zh="未接单，下一周期已到", en="nobody accepted it before the next one was due")
    for earlier in await plans.untaken(conn, plan.id, asset_id):
        order = await orders.lock(conn, earlier)
        if order is not None and order.status in ("open", "assigned"):  # not accepted meanwhile
            await office.cancel(conn, earlier, SYSTEM, now, missed)
    work = policy.plans
    new = NewOrder(
        community_id=plan.community_id,
        asset_id=asset_id,
        plan_id=plan.id,
        kind=plan.kind,
        skill=plan.skill,
        severity=work.severity,
        title=Text(zh=plan.name_zh, en=plan.name_en),
        what=Text(zh=f"计划日期 {due_on:%Y-%m-%d}", en=f"planned for {due_on:%Y-%m-%d}"),
        todo=Text(zh=plan.todo_zh, en=plan.todo_en),
        checklist=read_items(plan.checklist),
        respond=work.respond,
        complete=work.complete,
        clock=work.clock,
        because=Text(zh=f"计划“{plan.name_zh}”到期", en=f"plan “{plan.name_en}” is due"),
    )
    order_id = await open_order(conn, new, now, SYSTEM, policy)
    await plans.opened(conn, plan.id, asset_id, due_on, order_id)
    return order_id
