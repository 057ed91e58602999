"""The thresholds that rules read, for a community, an area or one asset: what holds, why, and changing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from psycopg import AsyncConnection

from config.signal_words import value_text
from config.text import NO_YES, Language, Text
from config.vocabulary import Signal, load_vocabulary
from rules.ruleset import AttributeRule
from web import alarm_store, threshold_store
from web.access import KEEPERS, OFFICE, require
from web.errors import Refusal
from web.house import house_of
from web.i18n import language_of
from web.render import page
from web.session import account_of, zone_of
from web.taps import go, word_of
from web.times import exact

MOST_ELSEWHERE: Final = 100
MOST_CHANGES: Final = 30
NOT_SET: Final = Text(zh="未设", en="not set")
_MEANWHILE: Final = Text(
    zh="刚被{who}改为：{value}；再次保存将覆盖它",
    en="{who} set this meanwhile, it is now: {value}; saving again replaces that",
)
_WHO: Final = Text(zh="{who}（{time}）", en="{who} ({time})")
_SOMEBODY: Final = Text(zh="别人", en="somebody")
FROM: Final = {
    "asset": Text(zh="本设备设定", en="set for this asset"),
    "area": Text(zh="本区域设定", en="set for its area"),
    "community": Text(zh="本小区设定", en="set for its community"),
    "rule": Text(zh="规则默认值", en="the rule's default"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One threshold at the chosen place: what is typed there, what holds else, and where that comes from."""

    name: str
    label: str
    type: str
    minimum: float | None
    maximum: float | None
    typed: str
    here: str
    otherwise: str
    source: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the page is about."""

    place: alarm_store.Place
    asset_class: str
    asset: str
    levels: threshold_store.Levels
    attributes: Mapping[str, AttributeRule]

    @property
    def level(self) -> str:
        """The level that is edited."""
        return "asset" if self.asset else "area" if self.place.area_id is not None else "community"

    def at(self, level: str) -> Mapping[str, Any]:
        return {"asset": self.levels.asset, "area": self.levels.area, "community": self.levels.community}[
            level
        ]

    @property
    def address(self) -> str:
        asked = {"class": self.asset_class, "place": self.place.key, "asset": self.asset}
        return f"/thresholds?{urlencode(asked)}"


def routes() -> list[web.RouteDef]:
    """Return the routes of thresholds."""
    return [web.get("/thresholds", thresholds), web.post("/thresholds", change)]


@require(*OFFICE)
async def thresholds(request: web.Request) -> web.StreamResponse:
    """Show what holds for an asset class at a place."""
    async with house_of(request).pool.connection() as conn:
        chosen = await _chosen(conn, request, request.query)
        return page(request, "thresholds/thresholds.html", await _context(conn, request, chosen))


@require(*KEEPERS)
async def change(request: web.Request) -> web.StreamResponse:
    """Set what was changed in the form; everything that cannot be is said at once and nothing is set."""
    form = await request.post()
    typed = {name: word_of(form, name) for name in form}
    async with house_of(request).pool.connection() as conn:
        chosen = await _chosen(conn, request, typed)
        if chosen is None:
            raise Refusal(404)
        # Who saves at the same moment waits here, and then sees what was set meanwhile.
        await threshold_store.lock(conn, chosen.place.community_id)
        chosen = await _chosen(conn, request, typed)
        if chosen is None:
            raise Refusal(404)
        values: dict[str, threshold_store.Value | None] = {}
        faults: dict[str, str] = {}
        meanwhile = False
        for name, rule in chosen.attributes.items():
            written, was = typed.get(f"t-{name}"), typed.get(f"was-{name}")
            if written is None or written == was:
                continue  # what was not touched is left as somebody else may have set it meanwhile
            here = _written(chosen.at(chosen.level).get(name))
            if was is not None and here not in {was, written}:
                faults[name] = await _meanwhile(conn, request, chosen, name, here)
                meanwhile = True
                continue
            try:
                values[name] = _parse(rule, written)
            except ValueError:
                faults[name] = _limits(rule, language_of(request))
        if faults:
            context = await _context(conn, request, chosen, typed, faults)
            return page(request, "thresholds/thresholds.html", context, status=409 if meanwhile else 422)
        if values:
            account = account_of(request)
            await threshold_store.put(
                conn,
                chosen.place,
                chosen.asset_class,
                chosen.levels.asset_id if chosen.asset else None,
                values,
                (account.name, account.id),
            )
    return go(chosen.address)


async def _meanwhile(
    conn: AsyncConnection, request: web.Request, chosen: Chosen, name: str, here: str
) -> str:
    """Say who set a threshold since the form was opened, when, and to what."""
    language = language_of(request)
    asset_id = chosen.levels.asset_id if chosen.asset else None
    last = await threshold_store.last_change(conn, chosen.place, chosen.asset_class, asset_id, name)
    who = _SOMEBODY[language]
    if last is not None:
        who = _WHO[language].format(who=last[0], time=exact(last[1], zone_of(request), language))
    return _MEANWHILE[language].format(who=who, value=here or NOT_SET[language])


async def _chosen(conn: AsyncConnection, request: web.Request, given: Mapping[str, str]) -> Chosen | None:
    """What is asked for, or the first there is; 404 for what is not there or not theirs; None without any."""
    sets = {name: rules.attributes for name, rules in house_of(request).book.sets.items() if rules.attributes}
    places = await alarm_store.places(conn, account_of(request).communities)
    if not sets or not places:
        return None
    asset_class = given.get("class") or min(sets)
    key, asset = given.get("place") or places[0].key, given.get("asset", "").strip().replace("\0", "")
    place = next((each for each in places if each.key == key), None)
    if place is None or asset_class not in sets:
        raise Refusal(404)
    levels = await threshold_store.levels(conn, place, asset_class, asset)
    if levels is None:
        raise Refusal(404)
    return Chosen(place, asset_class, asset, levels, sets[asset_class])


async def _context(
    conn: AsyncConnection,
    request: web.Request,
    chosen: Chosen | None,
    typed: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> dict[str, object]:
    language, account = language_of(request), account_of(request)
    may_change = account.role in KEEPERS
    if chosen is None:
        return {"chosen": None, "may_change": may_change}
    names = list(chosen.attributes)
    classes = load_vocabulary().asset_classes
    sets = house_of(request).book.sets
    said = _Words(chosen, language)
    changes = await threshold_store.changes(
        conn, account.communities, chosen.asset_class, names, MOST_CHANGES
    )
    others = await threshold_store.elsewhere(conn, chosen.place, chosen.asset_class, names, MOST_ELSEWHERE)
    return {
        "chosen": chosen,
        "classes": [(name, classes[name][language]) for name in sorted(sets) if sets[name].attributes],
        "where": await alarm_store.places(conn, account.communities),
        "lines": [
            said.line(rule, typed or {}, (faults or {}).get(name, ""))
            for name, rule in chosen.attributes.items()
        ],
        "others": [
            (
                each,
                [
                    (chosen.attributes[name].label[language], said.value(value))
                    for name, value in each.values.items()
                    if name in chosen.attributes
                ],
            )
            for each in others
        ],
        "changes": [
            (
                each,
                chosen.attributes[each.name].label[language],
                said.value(each.was),
                said.value(each.becomes),
            )
            for each in changes
        ],
        "may_change": may_change,
        "faulty": bool(faults),
    }


class _Words:
    """Thresholds in the reader's language."""

    def __init__(self, chosen: Chosen, language: Language) -> None:
        self._chosen = chosen
        self._language: Language = language

    def value(self, value: object) -> str:
        """A value, or that there is none."""
        if isinstance(value, bool):
            return NO_YES[value][self._language]
        if isinstance(value, int | float):
            return value_text(_NUMBER, float(value))[self._language]
        return NOT_SET[self._language] if value is None else str(value)

    def line(self, rule: AttributeRule, typed: Mapping[str, str], fault: str) -> Line:
        """One threshold of the table."""
        chosen, level = self._chosen, self._chosen.level
        own = chosen.at(level).get(rule.name)
        outer = {"asset": ("area", "community"), "area": ("community",), "community": ()}[level]
        source = next((each for each in outer if rule.name in chosen.at(each)), "rule")
        otherwise = rule.default if source == "rule" else chosen.at(source)[rule.name]
        here = _written(own)
        return Line(
            name=rule.name,
            label=rule.label[self._language],
            type=rule.type,
            minimum=rule.minimum,
            maximum=rule.maximum,
            typed=typed.get(f"t-{rule.name}", here),
            here=here,
            otherwise=self.value(otherwise),
            source=FROM[source][self._language],
            fault=fault,
        )


_NUMBER = Signal(name="threshold", type="number", unit="", label=Text(zh="阈值", en="Threshold"))


def _written(value: object) -> str:
    """A value as its field takes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _parse(rule: AttributeRule, written: str) -> threshold_store.Value | None:
    """A typed value, None for an empty field; ValueError for what cannot be one."""
    if not written:
        return None
    value: threshold_store.Value = written
    if rule.type == "boolean":
        value = {"true": True, "false": False}.get(written, written)
    elif rule.type == "number":
        value = float(written.replace(",", "."))
    if rule.problem(value) is not None or value != value:  # noqa: PLR0124 - NaN is no threshold
        raise ValueError(written)
    return value


def _limits(rule: AttributeRule, language: Language) -> str:
    low = "" if rule.minimum is None else f"{rule.minimum:g}"
    high = "" if rule.maximum is None else f"{rule.maximum:g}"
    if rule.type != "number":
        return Text(zh="请从列表中选择", en="choose one of the list")[language]
    return Text(zh=f"应为 {low} 到 {high} 之间的数字", en=f"a number from {low} to {high}")[language]
