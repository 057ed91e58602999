"""Other people's data on a resident's page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.redaction import redact, technician

OWN = ["B3-1602"]


@pytest.mark.parametrize(
    ("name", "zh", "en"),
    [
        ("王建国", "王师傅", "Technician 王"),
        ("欧阳锋", "欧阳师傅", "Technician 欧阳"),
        ("John Smith", "Smith 师傅", "Technician Smith"),
        (" ", "师傅", "technician"),
    ],
)
def test_a_technician_is_known_by_surname(name: str, zh: str, en: str) -> None:
    said = technician(name)
    assert (said.zh, said.en) == (zh, en)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("请联系 13812345678", "请联系 138******78"),
        ("call +86 138-1234-5678 now", "call 138******78 now"),
        ("座机021-61234567", "座机021-******67"),
        ("B3-1602 门前", "B3-1602 门前"),
        ("b3-1602", "b3-1602"),
        ("B3-1701 漏水", "B3-**** 漏水"),
        ("1701室与1602室", "****室与1602室"),
        ("flat 1701 and Flat 1602", "flat **** and Flat 1602"),
        ("王建国更换门机皮带", "王师傅更换门机皮带"),
        ("2026-10-14 完成，编号 WO-2026-0042", "2026-10-14 完成，编号 WO-2026-0042"),
        ("速度 1600 mm/s", "速度 1600 mm/s"),
    ],
)
def test_numbers_and_doors_of_others_are_masked(text: str, said: str) -> None:
    assert redact(text, own_units=OWN, names=["王建国"]) == said


@given(
    prefix=st.sampled_from(["", "电话", "tel ", "（", "：", "no. "]),
    head=st.sampled_from(["13", "15", "17", "18", "19"]),
    tail=st.from_regex(r"[0-9]{9}", fullmatch=True),
    suffix=st.sampled_from(["", "。", " 王", "）", ", ok"]),
)
def test_no_mobile_number_survives(prefix: str, head: str, tail: str, suffix: str) -> None:
    assert head + tail not in redact(prefix + head + tail + suffix, own_units=OWN)


@given(building=st.integers(1, 99), door=st.integers(101, 4099))
def test_no_others_door_survives(building: int, door: int) -> None:
    code = f"B{building}-{door}"
    assert (code in redact(f"到{code}检查", own_units=OWN)) == (code in OWN)


@given(st.text(max_size=60))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = redact(text, own_units=OWN)
    assert redact(once, own_units=OWN) == once
