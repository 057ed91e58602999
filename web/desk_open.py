"""Opening an order by hand; mistakes are shown beside their fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, get_args

from aiohttp import web
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from config.text import Text, misprint
from dispatch.orders import NewOrder, open_order
from dispatch.people import By
from dispatch.policy import shipped_policy
from dispatch.refusals import AlarmHasOrder, BadField, DispatchRefusal
from dispatch.status import Severity
from web import desk_store
from web.access import OFFICE, require
from web.desk_store import AssetFound
from web.house import house_of, now_of
from web.render import page
from web.session import account_of
from web.taps import fresh, go, key_of, tap_of, word_of

TITLE_LENGTH: Final = 120
TODO_LENGTH: Final = 2000
TAP_KNOWN_FOR: Final = timedelta(days=1)
_OTHER_ASSET: Final = Text(
    zh="告警属于另一个设备。请选择告警所在的设备，或从值班台另开工单。",
    en="The alarm is another asset's. Choose that asset, or open an order without the alarm.",
)


@dataclass(frozen=True, slots=True)
class OpenForm:
    """The form as typed."""

    q: str = ""
    asset: str = ""
    kind: str = ""
    skill: str = ""
    severity: str = "minor"
    title_zh: str = ""
    title_en: str = ""
    todo_zh: str = ""
    todo_en: str = ""
    alarm: str = ""

    @property
    def asset_id(self) -> int | None:
        """The chosen asset, where one was chosen."""
        return key_of(self.asset)


def read_open_form(form: Mapping[str, object]) -> OpenForm:
    """Read the form as sent."""
    return OpenForm(
        **{name: word_of(form, name) for name in OpenForm.__dataclass_fields__ if name != "severity"},
        severity=word_of(form, "severity") or "minor",
    )


@dataclass(frozen=True, slots=True)
class OpenedFrom:
    """Where the form stands: at the desk, or at a resident's request, with what the resident is told."""

    action: str = "/desk/new"
    back: str = "/desk"
    number: str = ""
    community_id: int | None = None
    said: str = ""
    reply: str = ""


DESK: Final = OpenedFrom()


def routes() -> list[web.RouteDef]:
    """Return the routes of opening an order by hand."""
    return [
        web.get("/desk/new", new),
        web.post("/desk/new", create),
        web.get("/desk/assets", assets),
    ]


@require(*OFFICE)
async def new(request: web.Request) -> web.StreamResponse:
    """Show the form; from an alarm, with what is known already."""
    form = read_open_form(request.query)
    async with house_of(request).pool.connection() as conn:
        return await open_form(conn, request, form)


@require(*OFFICE)
async def assets(request: web.Request) -> web.StreamResponse:
    """Return the assets that fit the words typed."""
    form = read_open_form(request.query)
    async with house_of(request).pool.connection() as conn:
        found = await _found(conn, request, form, key_of(request.query.get("within", "")))
    return page(request, "found_assets.html", {"assets": found, "form": form})


async def _found(
    conn: AsyncConnection, request: web.Request, form: OpenForm, within: int | None
) -> list[AssetFound]:
    """Search the communities of the account, or the one of them that is meant."""
    seen = [each for each in account_of(request).communities if within in {None, each}]
    return await desk_store.search_assets(conn, seen, form.q, asset_id=form.asset_id)


async def open_form(
    conn: AsyncConnection,
    request: web.Request,
    form: OpenForm,
    faults: Mapping[str, Text] | None = None,
    *,
    status: int = 200,
    at: OpenedFrom = DESK,
) -> web.Response:
    """Show the form of a new order, with what is wrong beside each field."""
    policy = shipped_policy()
    return page(
        request,
        "desk/new.html",
        {
            "form": form,
            "faults": faults or {},
            "at": at,
            "assets": await _found(conn, request, form, at.community_id),
            "kinds": policy.kinds,
            "skills": policy.skills,
            "request_id": fresh,
        },
        status=status,
    )


@require(*OFFICE)
async def create(request: web.Request) -> web.StreamResponse:
    """Open the order, once however often the button was pressed."""
    sent = await request.post()
    form, by, now = read_open_form(sent), tap_of(request, sent), now_of(request)
    account = account_of(request)
    async with house_of(request).pool.connection() as conn:
        found = await desk_store.search_assets(conn, account.communities, "", asset_id=form.asset_id)
        chosen = found[0] if found else None
        judged = judge(form, chosen)
        if isinstance(judged, NewOrder) and not await _same_asset(conn, request, judged):
            judged = {"asset": _OTHER_ASSET}
        if not isinstance(judged, NewOrder):
            return await open_form(conn, request, form, judged, status=422)
        try:
            number = await _open_once(conn, account.id, judged, by, now)
        except BadField as refusal:
            return await open_form(conn, request, form, beside(refusal), status=422)
        except DispatchRefusal as refusal:
            return await open_form(conn, request, form, {"asset": refusal.text}, status=409)
    return go(f"/desk/orders/{number}")


async def _open_once(conn: AsyncConnection, account_id: int, new: NewOrder, by: By, now: datetime) -> str:
    try:
        async with conn.transaction():
            since = now - TAP_KNOWN_FOR
            number = await desk_store.opened_by_tap(conn, account_id, by.request_id or "", since)
            if number is None:
                number = await desk_store.number_of(conn, await open_order(conn, new, now, by))
            return number
    except UniqueViolation as error:
        if error.diag.constraint_name != "work_order_live_alarm":
            raise
        raise AlarmHasOrder(new.alarm_id or 0) from error


async def _same_asset(conn: AsyncConnection, request: web.Request, new: NewOrder) -> bool:
    """Whether the alarm the order is opened for, if any, is one of this asset."""
    if new.alarm_id is None:
        return True
    alarm = await desk_store.alarm_view(conn, new.alarm_id, account_of(request).communities)
    return alarm is not None and alarm.asset_id == new.asset_id


def judge(form: OpenForm, chosen: AssetFound | None) -> NewOrder | dict[str, Text]:
    """Return the order to open, or what is wrong by field."""
    policy = shipped_policy()
    found: dict[str, Text] = {}
    if chosen is None:
        found["asset"] = Text(zh="请搜索并选择一个设备或地点", en="Search and choose what it is about")
    if form.kind not in policy.kinds:
        found["kind"] = Text(zh="请选择工作类型", en="Choose the kind of work")
    if form.skill not in policy.skills:
        found["skill"] = Text(zh="请选择所需技能", en="Choose the skill it needs")
    severity: Severity | None = next((each for each in get_args(Severity) if each == form.severity), None)
    if severity is None:
        found["severity"] = Text(zh="请选择级别", en="Choose a severity")
    title = _either(form.title_zh, form.title_en)
    if not title.zh:
        found["title_zh"] = Text(
            zh="请用一句话写明发生了什么（中文或英文）",
            en="Say in a sentence what happened, in Chinese or English",
        )
    for name, most in (
        ("title_zh", TITLE_LENGTH),
        ("title_en", TITLE_LENGTH),
        ("todo_zh", TODO_LENGTH),
        ("todo_en", TODO_LENGTH),
    ):
        typed: str = getattr(form, name)
        wrong = misprint(typed)
        if len(typed) > most:
            found[name] = Text(zh=f"请不超过 {most} 个字", en=f"At most {most} characters")
        elif wrong is not None:
            found[name] = wrong
    if found or chosen is None or severity is None:
        return found
    return NewOrder(
        community_id=chosen.community_id,
        asset_id=chosen.asset_id,
        kind=form.kind,
        skill=form.skill,
        severity=severity,
        title=title,
        todo=_either(form.todo_zh, form.todo_en),
        alarm_id=key_of(form.alarm),
        because=Text(zh="值班台手工开单", en="opened by hand at the desk"),
    )


def beside(refusal: BadField) -> dict[str, Text]:
    """Return what the dispatch room would not take beside its field: its `title.zh` is our `title_zh`.

    What has no field of its own stands beside the asset, with its name and value.
    """
    name = refusal.field.replace(".", "_")
    if name in OpenForm.__dataclass_fields__:
        return {name: refusal.right}
    return {"asset": refusal.text}


def _either(zh: str, en: str) -> Text:
    """Return both languages; what was written in one only is shown in both."""
    return Text(zh=zh or en, en=en or zh)
