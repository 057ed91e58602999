"""Why a message was not taken: a reason by code, and a detail with field, value and what is right."""

from typing import Final, Literal, NamedTuple

from config.text import Text

Reason = Literal[
    "bad_topic",
    "too_large",
    "not_json",
    "bad_type",
    "bad_text",
    "unknown_field",
    "missing_field",
    "bad_time",
    "not_zoned",
    "ts_ahead",
    "older_than_retention",
    "unknown_community",
    "unknown_device",
    "foreign_community",
    "retired_device",
    "unknown_profile",
    "no_asset",
    "not_a_kiosk",
    "wrong_identity",
    "unknown_signal",
    "out_of_range",
    "unknown_event",
    "no_decoder",
    "undecodable",
    "refused_by_database",
    "our_fault",
]

REASONS: Final[dict[Reason, Text]] = {
    "bad_topic": Text(zh="主题不符合约定", en="The topic is not one of ours"),
    "too_large": Text(zh="消息超过 64 KiB", en="The message is over 64 KiB"),
    "not_json": Text(zh="内容不是 JSON", en="The payload is not JSON"),
    "bad_type": Text(zh="字段类型不对", en="A field has the wrong type"),
    "bad_text": Text(
        zh="文字中有不允许的字符或过长", en="A text has a character that is not allowed, or is too long"
    ),
    "unknown_field": Text(zh="消息中有未定义的字段", en="The message has a field that is not defined"),
    "missing_field": Text(zh="缺少必填字段", en="A required field is missing"),
    "bad_time": Text(zh="时间格式不对", en="The time is not written as RFC 3339"),
    "not_zoned": Text(zh="时间没有时区", en="The time has no zone"),
    "ts_ahead": Text(zh="时间超前五分钟以上", en="The time is more than 5 minutes ahead"),
    "older_than_retention": Text(zh="时间早于保留期限", en="The time is older than what is kept"),
    "unknown_community": Text(zh="没有这个小区", en="There is no such community"),
    "unknown_device": Text(zh="没有登记这台设备", en="The device is not registered"),
    "foreign_community": Text(zh="设备属于别的小区", en="The device belongs to another community"),
    "retired_device": Text(zh="设备已停用", en="The device is retired"),
    "unknown_profile": Text(zh="没有这个设备型号", en="There is no such device profile"),
    "no_asset": Text(zh="设备没有关联到资产", en="The device is not attached to an asset"),
    "not_a_kiosk": Text(zh="这台设备不是缴费机", en="The device is not a kiosk"),
    "wrong_identity": Text(zh="设备在别人的主题上发布", en="The device published under another's topic"),
    "unknown_signal": Text(zh="这类资产没有这个测量值", en="Assets of this class have no such signal"),
    "out_of_range": Text(zh="数值超出物理范围", en="A value is out of its physical range"),
    "unknown_event": Text(zh="没有定义这个事件代码", en="The event code is not defined"),
    "no_decoder": Text(zh="没有解码器", en="Nobody decoded the payload"),
    "undecodable": Text(zh="解码失败", en="The payload does not decode"),
    "refused_by_database": Text(zh="数据库拒绝了这条消息", en="The database refused the message"),
    "our_fault": Text(
        zh="本系统处理时出错，升级后请重试", en="We failed at taking it; retry it after an upgrade"
    ),
}

SHOWN = 80


class Refusal(NamedTuple):
    """Why something is not taken."""

    reason: Reason
    detail: str


class Refused(Exception):
    """A message that is not taken, whole, with its reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail.replace("\0", "\\x00")


def shown(value: object) -> str:
    """A value as it may stand in a detail: short, printable, and without the NUL that no database keeps."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested by the thousand
        text = f"a {type(value).__name__} that is too large to show"
    text = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text[: SHOWN + 1])
    return f"{text[:SHOWN]}…" if len(text) > SHOWN else text
