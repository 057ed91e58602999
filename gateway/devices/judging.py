"""Judging a device as somebody wrote it: what may be registered, or every mistake. Pure."""

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from config.nearest import nearest
from config.profiles import Profile
from config.text import Text, misprint, printable
from gateway.devices.attributes import (
    DESCRIPTIVE,
    NOTE,
    Described,
    Limits,
    Value,
    Written,
    limits_in_words,
    wrong_attributes,
    wrong_fill,
)
from gateway.devices.draft import (
    ATTRIBUTE,
    CODE,
    EUI,
    AssetKnown,
    Fault,
    Fit,
    Land,
    Registered,
    Wanted,
    shown_value,
)

LONGEST_VALUE: Final = 500
PUBLIC_KEY: Final = "public_key"
PUBLIC_KEY_BYTES: Final = 32
KIOSK: Final[Mapping[str, Limits]] = {
    PUBLIC_KEY: Described("text"),
    "name_zh": Described("text"),
    "name_en": Described("text"),
    "place_zh": Described("text"),
    "place_en": Described("text"),
}
_TRUTHS: Final = {
    **dict.fromkeys(("true", "yes", "1", "是"), True),
    **dict.fromkeys(("false", "no", "0", "否"), False),
}


def judge(wanted: Wanted, land: Land, *, keep: bool = False) -> Fit | list[Fault]:
    """Check one device whole. With `keep`, attributes that are not mentioned stay as they are."""
    return _Judge(wanted, land, keep=keep).judge()


@dataclass(slots=True)
class _Judge:
    wanted: Wanted
    land: Land
    keep: bool
    faults: list[Fault] = field(default_factory=list)

    def _wrong(self, name: str, value: str, zh: str, en: str) -> None:
        self.faults.append(Fault(name, value, Text(zh=zh, en=en)))

    def judge(self) -> Fit | list[Fault]:
        wanted, land = self.wanted, self.land
        community_id = self._community()
        self._code()
        was = land.devices.get((wanted.community, wanted.code))
        profile = self._profile()
        asset = self._asset(profile) if community_id is not None else None
        eui = self._eui(profile)
        attributes = self._attributes(profile, asset, was)
        if self.faults or community_id is None or profile is None:
            return self.faults
        return Fit(
            community_id=community_id,
            community=wanted.community,
            code=wanted.code,
            profile=wanted.profile,
            asset_id=asset.asset_id if asset else None,
            asset=asset.code if asset else "",
            dev_eui=eui,
            attributes=attributes,
            was=was,
        )

    def _community(self) -> int | None:
        found = self.land.communities.get(self.wanted.community)
        if not self.wanted.community:
            self._wrong("community", "", "请填写小区代码", "give the code of the community")
        elif found is None:
            near = nearest(self.wanted.community, self.land.communities)
            self._wrong(
                "community",
                self.wanted.community,
                f"没有这个小区；{near.zh}",
                f"is no community you may change; {near.en}",
            )
        return found

    def _code(self) -> None:
        code = self.wanted.code
        if not CODE.fullmatch(code):
            self._wrong(
                "code",
                code,
                "应为字母、数字、点、横线和下划线，以字母或数字开头，最多 63 个",
                "should be letters, digits, dot, dash and _ only, a letter or digit first, at most 63",
            )
        was = self.land.devices.get((self.wanted.community, code))
        if was is not None and was.retired_at is not None:
            self._wrong(
                "code",
                code,
                f"这台设备已于 {was.retired_at:%Y-%m-%d} 停用；请先恢复，或换一个编码",
                f"is a device retired on {was.retired_at:%Y-%m-%d}; bring it back first, or use another code",
            )

    def _profile(self) -> Profile | None:
        name, profiles = self.wanted.profile, self.land.profiles
        if name in profiles:
            return profiles[name]
        near = nearest(name, profiles.names)
        self._wrong("profile", name, f"没有这个设备型号；{near.zh}", f"is no device profile; {near.en}")
        return None

    def _asset(self, profile: Profile | None) -> AssetKnown | None:
        written, community = self.wanted.asset, self.wanted.community
        if profile is not None and profile.asset_class is None:
            if written:
                self._wrong(
                    "asset",
                    written,
                    f"型号 {profile.name} 不监测资产，请留空",
                    f"should be empty: {profile.name} watches no asset",
                )
            return None
        if not written:
            if profile is not None:
                self._wrong(
                    "asset", "", "缺少：请选择它监测的资产", "is missing: choose the asset that it watches"
                )
            return None
        found = self.land.assets.get((community, written))
        if found is None:
            near = nearest(written, [code for home, code in self.land.assets if home == community])
            self._wrong(
                "asset",
                written,
                f"小区里没有这个资产；{near.zh}",
                f"is no asset of {community} in use; {near.en}",
            )
        elif profile is not None and profile.asset_class != found.asset_class:
            profiles = self.land.profiles
            names = [name for name in profiles.names if profiles[name].asset_class == found.asset_class]
            near = nearest(profile.name, names)
            self._wrong(
                "profile",
                profile.name,
                f"不能监测 {found.asset_class} 类资产；{near.zh}",
                f"watches no {found.asset_class}; {near.en}",
            )
        return found

    def _eui(self, profile: Profile | None) -> str | None:
        written = self.wanted.dev_eui
        if not written:
            if profile is not None and profile.envelope == "lorawan":
                self._wrong(
                    "dev_eui",
                    "",
                    f"缺少：{profile.name} 由 DevEUI（16 位十六进制）识别",
                    f"is missing: {profile.name} is found by its DevEUI, 16 hex digits",
                )
            return None
        eui = written.lower()
        if not EUI.fullmatch(written):
            self._wrong(
                "dev_eui", written, "应为 16 位十六进制数字", "should be a DevEUI: 16 hexadecimal digits"
            )
            return None
        owner = self.land.euis.get(eui)
        if owner is not None and owner != (self.wanted.community, self.wanted.code):
            name = "/".join(owner)
            self._wrong(
                "dev_eui",
                written,
                f"已属于设备 {name}；每台设备各有自己的 DevEUI",
                f"already belongs to {name}; each radio has its own",
            )
        return eui

    def _attributes(
        self, profile: Profile | None, asset: AssetKnown | None, was: Registered | None
    ) -> dict[str, Value]:
        kept = dict(was.attributes) if self.keep and was is not None else {}
        asset_class = profile.asset_class if profile is not None else None
        known = self._known(asset_class)
        for name, text in self.wanted.attributes.items():
            kept.pop(name, None)
            if not text:
                continue
            wrong = misprint(text)
            if wrong is not None:
                self._wrong(name, printable(text)[:40], wrong.zh, wrong.en)
            elif len(text) > LONGEST_VALUE:
                zh, en = f"应不超过 {LONGEST_VALUE} 个字", f"should be at most {LONGEST_VALUE} characters"
                self._wrong(name, text[:40], zh, en)
            elif not ATTRIBUTE.fullmatch(name):
                zh, en = "属性名应为小写字母、数字和下划线", "its name should be small letters, digits and _"
                self._wrong(name, text, zh, en)
            elif (value := _typed(text, known.get(name))) is None:
                right = limits_in_words(known[name])
                self._wrong(name, text, f"应为{right.zh}", f"should be {right.en}")
            else:
                kept[name] = value
        if profile is not None:
            self.faults += self._wrong_attributes(profile, asset, kept)
        return kept

    def _known(self, asset_class: str | None) -> Mapping[str, Limits]:
        if asset_class is None:
            return KIOSK
        return {**DESCRIPTIVE.get(asset_class, {}), **self.land.attributes.get(asset_class, {})}

    def _wrong_attributes(
        self, profile: Profile, asset: AssetKnown | None, attributes: Mapping[str, Value]
    ) -> Iterator[Fault]:
        said = {each.field for each in self.faults}
        if profile.asset_class is None:
            yield from _wrong_kiosk(attributes, said)
            return
        written = Written(("asset",), asset.attributes if asset else {}, ("device",), attributes)
        of_rules = self.land.attributes.get(profile.asset_class)
        found = [
            each
            for each in wrong_attributes(written, profile.asset_class, of_rules)
            if each[0][0] == "device"  # what stands with the asset is not this device's mistake
        ]
        if profile.fill is not None and asset is not None and asset.asset_class == profile.asset_class:
            found += wrong_fill(written, profile.fill, needed=profile.envelope == "lorawan")
        for path, value, right in found:
            name = str(path[-1])
            if name not in said:
                said.add(name)
                yield Fault(name, "" if value is None else shown_value(value), right)


def _wrong_kiosk(attributes: Mapping[str, Value], said: set[str]) -> Iterator[Fault]:
    key = attributes.get(PUBLIC_KEY)
    if PUBLIC_KEY not in said and not _is_public_key(key):
        yield Fault(
            PUBLIC_KEY,
            "" if key is None else str(key),
            Text(
                zh="应为缴费机的 Ed25519 公钥：32 字节的 base64，44 个字符",
                en="should be the kiosk's Ed25519 public key: 32 bytes in base64, 44 characters",
            ),
        )
    for name, value in attributes.items():
        if name not in KIOSK and not name.startswith(NOTE) and name not in said:
            near = nearest(name, KIOSK)
            yield Fault(
                name,
                shown_value(value),
                Text(zh=f"缴费机没有这个属性；{near.zh}", en=f"is no attribute of a kiosk; {near.en}"),
            )


def _is_public_key(value: Value | None) -> bool:
    try:
        return isinstance(value, str) and len(base64.b64decode(value, validate=True)) == PUBLIC_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _typed(text: str, limits: Limits | None) -> Value | None:
    """The text as a value of the attribute's type; None where it cannot be one."""
    if limits is None or limits.type == "text":
        return text
    if limits.type == "boolean":
        return _TRUTHS.get(text.lower())
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
