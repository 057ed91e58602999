"""Money, quantities, times and words as people read them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import Language, Text
from web.finance import totals
from web.finance_store import Balance
from web.templating import money, price, quantity
from web.times import day, exact, month, relative, when
from web.words import WORDS, say

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fen", "said"), [(0, "¥0.00"), (5, "¥0.05"), (123456789, "¥1,234,567.89"), (-250, "−¥2.50")]
)
def test_money_has_two_decimals(fen: int, said: str) -> None:
    assert money(fen) == said


@given(st.integers(-(10**13), 10**13))
def test_money_reads_back(fen: int) -> None:
    said = money(fen).replace("¥", "").replace(",", "").replace("−", "-")
    assert Decimal(said) * 100 == fen


@pytest.mark.parametrize(
    ("fen", "said"),
    [
        ("45.0000", "¥0.45"),
        ("238.5", "¥2.385"),
        ("-200", "−¥2.00"),
        ("0.0125", "¥0.000125"),
        ("100000", "¥1,000.00"),
    ],
)
def test_a_price_shows_every_decimal_it_has(fen: str, said: str) -> None:
    assert price(Decimal(fen)) == said


@pytest.mark.parametrize(
    ("value", "said"), [("98.500", "98.5"), ("1.000", "1"), ("1200", "1,200"), ("0.125", "0.125")]
)
def test_a_quantity_has_no_trailing_zeros(value: str, said: str) -> None:
    assert quantity(Decimal(value)) == said


@pytest.mark.parametrize(
    ("step", "zh", "en"),
    [
        (timedelta(seconds=-20), "刚刚", "just now"),
        (timedelta(minutes=-3), "3分钟前", "3 minutes ago"),
        (timedelta(minutes=12), "12分钟后", "in 12 minutes"),
        (timedelta(hours=-26), "1天前", "1 day ago"),
        (timedelta(days=-30), "2026-10-24 15:00", "24 Oct 2026, 15:00"),
    ],
)
def test_a_time_is_relative_in_words(step: timedelta, zh: str, en: str) -> None:
    assert relative(NOW + step, NOW, SHANGHAI, "zh") == zh
    assert relative(NOW + step, NOW, SHANGHAI, "en") == en


def test_a_time_element_is_exact_on_hover_in_the_communitys_zone() -> None:
    assert when(NOW, NOW + timedelta(minutes=3), SHANGHAI, "zh") == (
        '<time datetime="2026-11-23T07:00:00+00:00" title="2026-11-23 15:00" data-relative>3分钟前</time>'
    )
    assert exact(NOW, ZoneInfo("Europe/London"), "en") == "23 Nov 2026, 07:00"


@pytest.mark.parametrize(
    ("language", "said"), [("zh", ("2026年11月5日", "2026年11月")), ("en", ("5 Nov 2026", "November 2026"))]
)
def test_days_and_months(language: Language, said: tuple[str, str]) -> None:
    assert (day(date(2026, 11, 5), language), month(date(2026, 11, 5), language)) == said


def test_a_stored_key_without_a_word_is_still_readable() -> None:
    assert say("status", "en_route", "zh") == "在途"
    assert say("method", "bank_debit", "en") == "bank debit"


def test_every_word_is_said_in_both_languages() -> None:
    assert [
        text for words in WORDS.values() for text in words.values() if bool(text.zh) != bool(text.en)
    ] == []


def test_finance_reads_income_as_positive_and_sees_a_ledger_that_is_off() -> None:
    name = Text(zh="甲", en="A")
    balances = [Balance(1, "receivable", 700), Balance(1, "cash", 300), Balance(1, "income", -1000)]
    told = totals(name, balances)
    assert told.kinds == (("receivable", 700), ("cash", 300), ("income", 1000), ("prepayment", 0))
    assert told.ledger_sum == 0
    assert totals(name, [*balances, Balance(1, "discount", 1)]).ledger_sum == 1
