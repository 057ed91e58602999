"""How long is left, in words; whether somebody is on shift; what became of a job."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispatch.roster import Shift
from web.deadlines import Deadline, duration, pressing
from web.gone import gone_words
from web.shifts import duty, duty_words
from web.work_store import Standing

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # a Monday, 15:00 in Shanghai
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "不到 1 分钟", "under 1 min"),
        (59, "不到 1 分钟", "under 1 min"),
        (12 * 60, "12 分钟", "12 min"),
        (65 * 60, "1 小时 5 分钟", "1 h 5 min"),
        (24 * 3600, "1 天", "1 d"),
        (49 * 3600 + 59 * 60, "2 天 1 小时", "2 d 1 h"),
    ],
)
def test_a_span_is_said_in_at_most_two_units(seconds: int, zh: str, en: str) -> None:
    assert duration(timedelta(seconds=seconds), "zh") == zh
    assert duration(timedelta(seconds=seconds), "en") == en


@pytest.mark.parametrize(
    ("minutes", "urgency", "zh"),
    [
        (60, "calm", "还剩 1 小时到场"),
        (12, "soon", "还剩 12 分钟到场"),
        (0, "soon", "还剩 不到 1 分钟到场"),
        (-3, "late", "到场已超时 3 分钟"),
    ],
)
def test_a_deadline_says_its_urgency(minutes: int, urgency: str, zh: str) -> None:
    deadline = Deadline("arrive", NOW + timedelta(minutes=minutes))
    assert (deadline.urgency(NOW), deadline.say(NOW, "zh")) == (urgency, zh)


def test_an_offer_counts_seconds() -> None:
    offer = Deadline("offer", NOW + timedelta(seconds=102))
    assert offer.say(NOW, "en") == "1:42 left to answer"
    assert offer.say(NOW + timedelta(minutes=5), "en") == "answer 3 min late"


def test_nothing_presses_without_a_moment() -> None:
    assert pressing("arrive", None) is None
    assert pressing(None, NOW) is None
    assert pressing("complete", NOW) == Deadline("complete", NOW)


@pytest.mark.parametrize(
    ("shifts", "zh"),
    [
        ([Shift(1, time(9), time(18))], "您当班至 18:00"),
        ([Shift(1, time(9), time(15)), Shift(1, time(15), time(17, 30))], "您当班至 17:30"),
        ([Shift(7, time(20), time(16))], "您当班至 16:00"),
        ([Shift(1, time(18), time(22))], "下一班今天 18:00"),
        ([Shift(2, time(8), time(12))], "下一班明天 08:00"),
        ([Shift(5, time(8), time(12))], "下一班周五 08:00"),
        ([Shift(day, time(0), time(0)) for day in range(1, 8)], "您正在当班"),
        ([], "还没有为您排班"),
    ],
)
def test_a_shift_is_said_with_what_comes_next(shifts: list[Shift], zh: str) -> None:
    assert zh in duty_words(duty(shifts, NOW, SHANGHAI), NOW, SHANGHAI).zh


@pytest.mark.parametrize(
    ("change", "en"),
    [
        ({"record_id": 3}, "You finished"),
        ({"status": "cancelled"}, "was cancelled"),
        ({"status": "merged"}, "was cancelled"),
        ({"taken_by_other": True}, "A colleague"),
        ({"offer": "declined"}, "You declined"),
        ({"offer": "expired"}, "ran out"),
        ({"offer": "withdrawn"}, "taken this job back"),
    ],
)
def test_a_job_that_is_gone_says_why(change: dict[str, object], en: str) -> None:
    known: dict[str, object] = {
        "order_id": 1,
        "number": "W1",
        "status": "open",
        "held": False,
        "taken_by_other": False,
        "offer": "withdrawn",
        "record_id": None,
        "planned": False,
    }
    assert en in gone_words(Standing(**known | change)).en  # type: ignore[arg-type]
