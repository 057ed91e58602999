"""The form of one device: what is typed, the fields that its profile needs, and what is wrong beside them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from config.profiles import Profile, load_profiles
from config.text import Language, Text
from gateway.devices import listing, register
from gateway.devices.attributes import NOTE, Limits, limits_in_words
from gateway.devices.draft import Fault, Fit, Registered, Wanted, shown_value
from gateway.devices.judging import judge
from web import desk_store
from web.desk_store import AssetFound
from web.errors import Refusal
from web.house import house_of
from web.session import account_of
from web.taps import key_of, word_of

PREFIX: Final = "a."
LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class DeviceForm:
    """The form as typed. `asset` is the id of the chosen asset; attributes by name, empty ones too.

    `seen` says of which state of the device the form was made (`seen_of`).
    """

    community: str = ""
    code: str = ""
    profile: str = ""
    asset: str = ""
    dev_eui: str = ""
    q: str = ""
    note_name: str = ""
    note_value: str = ""
    speaker: str = ""
    seen: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def asset_id(self) -> int | None:
        """The chosen asset, where one was chosen."""
        return key_of(self.asset)


def read_form(sent: Mapping[str, object]) -> DeviceForm:
    """Read the form as sent."""
    words = {
        name: word_of(sent, name)[: LONGEST + 1]
        for name in DeviceForm.__dataclass_fields__
        if name != "attributes"
    }
    attributes = {
        name.removeprefix(PREFIX): word_of(sent, name)[: LONGEST + 1]
        for name in sent
        if name.startswith(PREFIX)
    }
    return DeviceForm(**words, attributes=attributes)


def form_of(device: Registered) -> DeviceForm:
    """The form as a device stands."""
    return DeviceForm(
        community=device.community,
        code=device.code,
        profile=device.profile,
        asset=str(device.asset_id or ""),
        dev_eui=device.dev_eui or "",
        seen=seen_of(device),
        attributes={name: shown_value(value) for name, value in device.attributes.items()},
    )


def seen_of(device: Registered) -> str:
    """A short digest of all that the form changes: whoever saves a form made of another state is told."""
    state = [device.profile, device.asset_id, device.dev_eui, dict(device.attributes), device.retired_at]
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class FieldShown:
    """An attribute's field: its name, label, what it takes, and what is typed."""

    name: str
    label: str
    takes: str
    value: str


def rule_attributes(request: web.Request) -> dict[str, Mapping[str, Limits]]:
    """What this site's rules read of devices and assets, by asset class."""
    return listing.rule_attributes(house_of(request).book)


def fields_of(request: web.Request, form: DeviceForm, language: Language) -> list[FieldShown]:
    """The attributes that a device of the chosen profile may have, and whatever else is typed."""
    profiles = load_profiles()
    if form.profile not in profiles:
        return []
    known = listing.attributes_of(profiles[form.profile].asset_class, rule_attributes(request))
    others = [name for name, value in form.attributes.items() if name not in known and value]
    return [
        FieldShown(
            name,
            listing.label_of(name, known.get(name))[language],
            "" if name not in known or known[name].type == "text" else limits_in_words(known[name])[language],
            form.attributes.get(name, ""),
        )
        for name in [*known, *others]
    ]


def profiles_shown(ranked: Sequence[tuple[Profile, int]] = ()) -> list[tuple[Profile, int]]:
    """Every profile with how much of a stranger's messages it understands, the most first."""
    known, weights = load_profiles(), {profile.name: weight for profile, weight in ranked}
    names = sorted(known.names, key=lambda name: -weights.get(name, -1))
    return [(known[name], weights.get(name, 0)) for name in names]


async def assets_of(conn: AsyncConnection, request: web.Request, form: DeviceForm) -> list[AssetFound]:
    """The assets that fit the words typed, the chosen one first."""
    return await desk_store.search_assets(
        conn, account_of(request).communities, form.q, asset_id=form.asset_id
    )


async def judge_form(
    conn: AsyncConnection, request: web.Request, form: DeviceForm, *, of: Registered | None = None
) -> Fit | list[Fault]:
    """Check the form whole; `of` is the device it changes, which must be there still."""
    account = account_of(request)
    chosen: AssetFound | None = None
    if form.asset_id is not None:
        found = await desk_store.search_assets(conn, account.communities, "", asset_id=form.asset_id)
        chosen = found[0] if found else None
    attributes = dict(form.attributes)
    if form.note_value:
        name = form.note_name.removeprefix(NOTE)
        attributes[f"{NOTE}{name}"] = form.note_value
    wanted = Wanted(
        form.community, form.code, form.profile, chosen.code if chosen else "", form.dev_eui, attributes
    )
    land = await register.survey(
        conn, [wanted], load_profiles(), rule_attributes(request), account.communities
    )
    judged = judge(wanted, land)
    if chosen is not None and chosen.community_id != land.communities.get(form.community):
        elsewhere = Text(zh="这个资产属于另一个小区", en="This asset is in another community")
        others = [] if isinstance(judged, Fit) else [each for each in judged if each.field != "asset"]
        return [*others, Fault("asset", chosen.code, elsewhere)]
    if isinstance(judged, Fit) and of is None and judged.was is not None:
        taken = Text(zh="这个编码已有设备，请换一个", en="There is a device of this code; choose another")
        return [Fault("code", form.code, taken)]
    if isinstance(judged, Fit) and of is not None and judged.was is None:
        raise Refusal(409)
    return judged
