"""What a sheet of devices may say: its columns, the attributes of each class, and a page of notes. Pure."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from config.profiles import Profiles
from config.text import Language, Text
from gateway.devices.attributes import DESCRIPTIVE, NOTE, Limits, limits_in_words
from gateway.devices.judging import KIOSK
from gateway.devices.sheet import HEADINGS


class Book(Protocol):
    """What is needed of the rules: the classes they speak of, and what they read from assets of each."""

    @property
    def sets(self) -> Mapping[str, object]: ...
    def attributes(self, asset_class: str) -> Mapping[str, Limits]: ...


def rule_attributes(book: Book) -> dict[str, Mapping[str, Limits]]:
    """What the rules read of devices and assets, by asset class."""
    return {asset_class: book.attributes(asset_class) for asset_class in book.sets}


def attributes_of(asset_class: str | None, of_rules: Mapping[str, Mapping[str, Limits]]) -> dict[str, Limits]:
    """Every attribute that a device on an asset of this class may have; no class: a kiosk."""
    if asset_class is None:
        return dict(KIOSK)
    return {**DESCRIPTIVE.get(asset_class, {}), **of_rules.get(asset_class, {})}


def known_attributes(of_rules: Mapping[str, Mapping[str, Limits]]) -> dict[str, Limits]:
    """Every attribute of any class."""
    known = dict(KIOSK)
    for asset_class in {*DESCRIPTIVE, *of_rules}:
        known |= attributes_of(asset_class, of_rules)
    return known


def columns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The columns of a sheet that says everything these rows say."""
    return list(dict.fromkeys([*HEADINGS, *sorted({name for row in rows for name in row} - set(HEADINGS))]))


_HEAD = Text(zh="列|含义|允许的值", en="column|meaning|what it takes")
_COLUMNS = {
    "community": Text(
        zh="小区代码，必填|见设备列表|文字", en="code of the community, required|see the list of devices|text"
    ),
    "code": Text(
        zh="设备编码，必填|本小区内唯一；也是主题中的名字|字母、数字、. _ -",
        en="code of the device, required|its name in topics, once in a community|letters, digits, . _ -",
    ),
    "profile": Text(zh="型号，必填|设备如何上报|见下", en="profile, required|how it speaks|see below"),
    "asset": Text(
        zh="资产编码|它监测的资产；缴费机留空|文字",
        en="code of an asset|what it watches; empty for a kiosk|text",
    ),
    "dev_eui": Text(
        zh="DevEUI|LoRaWAN 设备必填|16 位十六进制",
        en="DevEUI|required for LoRaWAN|16 hexadecimal digits",
    ),
}


def notes(
    profiles: Profiles, of_rules: Mapping[str, Mapping[str, Limits]], language: Language
) -> list[list[str]]:
    """The second sheet of a template: every column, profile and attribute with what it takes."""
    lines = [_HEAD[language].split("|")]
    lines += [[HEADINGS[name][language], *text[language].split("|")[1:]] for name, text in _COLUMNS.items()]
    lines.append([])
    for name in profiles.names:
        profile = profiles[name]
        lines.append([name, profile.label[language], profile.asset_class or "-"])
    lines.append([])
    for asset_class in sorted({*DESCRIPTIVE, *of_rules}):
        for name, limits in attributes_of(asset_class, of_rules).items():
            lines.append([name, asset_class, limits_in_words(limits)[language].strip()])
    lines.append(
        [f"{NOTE}…", *Text(zh="只给人看的备注|文字", en="a note for people|text")[language].split("|")]
    )
    return lines


_LABELS = {
    "registration_code": Text(zh="设备注册代码", en="Registration code"),
    "floors": Text(zh="层站数", en="Floors"),
    "rated_load_kg": Text(zh="额定载重（kg）", en="Rated load (kg)"),
    "rated_speed_m_s": Text(zh="额定速度（m/s）", en="Rated speed (m/s)"),
    "volume_l": Text(zh="容积（L）", en="Volume (l)"),
    "empty_distance_mm": Text(zh="空桶时测得的距离（mm）", en="Distance measured when empty (mm)"),
    "full_distance_mm": Text(zh="满桶时测得的距离（mm）", en="Distance measured when full (mm)"),
    "public_key": Text(zh="公钥（Ed25519，base64）", en="Public key (Ed25519, base64)"),
    "name_zh": Text(zh="名称（中文）", en="Name, in Chinese"),
    "name_en": Text(zh="名称（英文）", en="Name, in English"),
    "place_zh": Text(zh="位置（中文）", en="Place, in Chinese"),
    "place_en": Text(zh="位置（英文）", en="Place, in English"),
}


def label_of(name: str, limits: Limits | None) -> Text:
    """What people call an attribute: our word, the rule file's, else its name."""
    own = getattr(limits, "label", None)
    return _LABELS.get(name) or (own if isinstance(own, Text) else Text(zh=name, en=name))
