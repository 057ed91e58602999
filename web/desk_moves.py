"""What the desk does to an order; each is asked once more before it happens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Text
from dispatch import moves
from dispatch.people import By
from dispatch.refusals import BadField, DispatchRefusal
from dispatch.status import WAITING
from dispatch.store import candidates
from web.access import OFFICE, require
from web.desk import actions_for, order_or_404
from web.desk_store import OrderView
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.taps import fresh, go, key_of, tap_of, word_of

BEST: Final = "best"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing the desk can do, in words: what it is, what follows, what is asked."""

    name: str
    title: Text
    consequence: Text
    question: Text
    confirm: Text
    needs_reason: bool = False
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen in the form."""

    act: str
    why: str
    staff: str


ACTS: Final = {
    act.name: act
    for act in (
        Act(
            "reassign",
            title=Text(zh="改派工单", en="Reassign the order"),
            consequence=Text(
                zh="现在的师傅会立即收到收回通知，新的师傅会收到派单。",
                en="Whoever has it now is told at once; the new technician is offered it.",
            ),
            question=Text(zh="改派原因", en="Why is it reassigned?"),
            confirm=Text(zh="确认改派", en="Reassign"),
        ),
        Act(
            "cancel",
            title=Text(zh="取消工单", en="Cancel the order"),
            consequence=Text(
                zh="工单会结束，不再派人处理；告警仍在时会继续显示。",
                en="The order ends and nobody is sent. An alarm that is still on stays on the board.",
            ),
            question=Text(zh="取消原因", en="Why is it cancelled?"),
            confirm=Text(zh="确认取消工单", en="Cancel the order"),
            needs_reason=True,
            grave=True,
        ),
        Act(
            "verify",
            title=Text(zh="核验工单", en="Verify the work"),
            consequence=Text(
                zh="您已查看维保记录和照片，认可处理结果。",
                en="You have looked at the record and its photos and agree with the work.",
            ),
            question=Text(zh="备注", en="Remark"),
            confirm=Text(zh="确认核验", en="Verify"),
        ),
        Act(
            "close",
            title=Text(zh="关闭工单", en="Close the order"),
            consequence=Text(zh="工单归档，记录保留。", en="The order is filed; its record stays."),
            question=Text(zh="备注", en="Remark"),
            confirm=Text(zh="确认关闭", en="Close"),
        ),
        Act(
            "reopen",
            title=Text(zh="重开工单", en="Reopen the order"),
            consequence=Text(
                zh="工单重新派单，优先原来的师傅；原记录保留不变。",
                en="The order is offered again, to its former technician first. Its record stays.",
            ),
            question=Text(zh="重开原因", en="What was not good?"),
            confirm=Text(zh="确认重开", en="Reopen"),
            needs_reason=True,
        ),
        Act(
            "note",
            title=Text(zh="添加备注", en="Add a note"),
            consequence=Text(
                zh="备注写入工单经过，师傅也能看到。",
                en="It stands in the order's story for everybody who works on it.",
            ),
            question=Text(zh="备注", en="Note"),
            confirm=Text(zh="保存备注", en="Save the note"),
            needs_reason=True,
        ),
    )
}


def routes() -> list[web.RouteDef]:
    """Return the routes of what the desk does to an order."""
    acts = "|".join(ACTS)
    return [
        web.get(f"/desk/orders/{{number}}/{{act:{acts}}}", ask),
        web.post(f"/desk/orders/{{number}}/{{act:{acts}}}", do),
    ]


@require(*OFFICE)
async def ask(request: web.Request) -> web.StreamResponse:
    """Ask once more before it happens, and say what follows."""
    async with house_of(request).pool.connection() as conn:
        view = await order_or_404(conn, request)
        return await _form(conn, request, view)


async def _form(
    conn: AsyncConnection,
    request: web.Request,
    view: OrderView,
    fault: Text | None = None,
    *,
    why: str = "",
    chosen: str = "",
    status: int = 200,
) -> web.Response:
    act, language = ACTS[request.match_info["act"]], language_of(request)
    possible = act.name in actions_for(view.status)
    if not possible and fault is None:
        fault = Text(
            zh="工单状态已变，现在不能这样操作。请返回工单查看。",
            en="The order has moved on; this cannot be done now. Go back and look at it.",
        )
    found = (
        await candidates(conn, view.order_id, now_of(request)) if act.name == "reassign" and possible else []
    )
    others = [each for each in found if each.name != view.assignee]
    return page(
        request,
        "desk/act.html",
        {
            "act": act,
            "order": view,
            "fault": fault[language] if fault else "",
            "possible": possible,
            "why": why,
            "chosen": chosen,
            "best": BEST,
            "candidates": others,
            "somebody": act.name != "reassign" or bool(others) or view.status not in WAITING,
            "request_id": fresh,
        },
        status=status,
    )


@require(*OFFICE)
async def do(request: web.Request) -> web.StreamResponse:
    """Do it, or show the form again with what is wrong."""
    form = await request.post()
    act, by = ACTS[request.match_info["act"]], tap_of(request, form)
    why, chosen, now = word_of(form, "why"), word_of(form, "staff"), now_of(request)
    async with house_of(request).pool.connection() as conn:
        view = await order_or_404(conn, request)
        fault = _missing(act, why, chosen)
        if fault is not None:
            return await _form(conn, request, view, fault, why=why, chosen=chosen, status=422)
        try:
            async with conn.transaction():
                await _act(conn, view.order_id, by, now, Choice(act.name, why, chosen))
        except BadField as refusal:
            return await _form(conn, request, view, refusal.right, why=why, chosen=chosen, status=422)
        except DispatchRefusal as refusal:
            view = await order_or_404(conn, request)
            return await _form(conn, request, view, refusal.text, why=why, chosen=chosen, status=409)
    return go(f"/desk/orders/{view.number}")


async def _act(conn: AsyncConnection, order_id: int, by: By, now: datetime, choice: Choice) -> None:
    staff_id = key_of(choice.staff)
    match choice.act:
        case "reassign" if staff_id is None:
            await moves.withdraw(conn, order_id, by, now, choice.why)
        case "reassign" if staff_id is not None:
            await moves.assign(conn, order_id, staff_id, by, now, choice.why)
        case "cancel":
            await moves.cancel(conn, order_id, by, now, choice.why)
        case "verify":
            await moves.verify(conn, order_id, by, now, choice.why)
        case "close":
            await moves.close(conn, order_id, by, now, choice.why)
        case "reopen":
            await moves.reopen(conn, order_id, by, now, choice.why)
        case "note":
            await moves.note(conn, order_id, by, now, choice.why)


def _missing(act: Act, why: str, chosen: str) -> Text | None:
    if act.needs_reason and not why:
        return Text(zh=f"请填写：{act.question.zh}", en=f"Please fill in: {act.question.en}")
    fits = chosen == BEST or key_of(chosen) is not None
    if act.name == "reassign" and not fits:
        return Text(zh="请选择改派给谁", en="Choose who is to get it")
    return None
