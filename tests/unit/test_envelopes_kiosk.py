"""Kiosk messages: what was signed reaches billing byte for byte; the unreadable is refused with a reason."""

import base64
import json
from datetime import timedelta

import pytest

from gateway.envelopes import kiosk
from gateway.refusals import Refused
from tests.unit.gateway_devices import NOW, WINDOW, make_known

KIOSK = make_known("kiosk", public_key="…")
SIGNATURE = base64.b64encode(b"s" * 64).decode()
PAYMENT = {
    "v": 1,
    "ts": "2026-11-23T06:59:00Z",
    "transaction_id": "K1-20261123-000017",
    "bill_no": "2026-11-0007",
    "unit": "B3-1602",
    "amount_fen": 38650,
    "method": "cash",
    "signature": SIGNATURE,
}


def payload(**change: object) -> bytes:
    return json.dumps({name: value for name, value in {**PAYMENT, **change}.items() if value != "-"}).encode()


def test_a_payment_carries_what_was_signed() -> None:
    said = kiosk.pay(payload(note="两张"), KIOSK, NOW, WINDOW)
    assert (
        said.canonical
        == (
            '{"amount_fen":38650,"bill_no":"2026-11-0007","method":"cash","note":"两张",'
            '"transaction_id":"K1-20261123-000017","ts":"2026-11-23T06:59:00Z","unit":"B3-1602","v":1}'
        ).encode()
    )
    assert said.signature == b"s" * 64
    assert (said.transaction_id, said.amount_fen, said.method) == ("K1-20261123-000017", 38650, "cash")
    assert said.received_at == NOW


@pytest.mark.parametrize("amount", [0, -5])
def test_whether_an_amount_is_right_is_for_billing_to_say(amount: int) -> None:
    assert kiosk.pay(payload(amount_fen=amount), KIOSK, NOW, WINDOW).amount_fen == amount


def test_a_payment_kept_for_long_is_still_a_payment() -> None:
    old = (NOW - timedelta(days=4000)).isoformat()
    assert kiosk.pay(payload(ts=old), KIOSK, NOW, WINDOW).ts == NOW - timedelta(days=4000)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "bad_type"),
        ('{"v":1,"unit":"三幢"}'.encode("gbk"), "not_json"),
        (payload(signature="-"), "missing_field"),
        (payload(signature=7), "missing_field"),
        (payload(signature="???"), "bad_type"),
        (payload(ts="-"), "missing_field"),
        (payload(ts="2026-11-23T06:59:00"), "not_zoned"),
        (payload(ts="noon"), "bad_time"),
        (payload(ts="0001-01-01T00:00:00+08:00"), "bad_time"),  # no time at all, as some kiosks write it
        (payload(ts="2026-11-23T07:06:00Z"), "ts_ahead"),
        (payload(v=2), "bad_type"),
        (payload(amount_fen="38650"), "bad_type"),
        (payload(amount_fen=386.5), "bad_type"),
        (payload(amount_fen=2**60), "bad_type"),
        (payload(method="shells"), "bad_type"),
        (payload(transaction_id=""), "bad_type"),
        (payload(transaction_id="a\0b"), "bad_type"),
        (payload(unit="u" * 129), "bad_type"),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        kiosk.pay(body, KIOSK, NOW, WINDOW)
    assert caught.value.reason == reason


def test_a_question_names_a_bill_or_a_unit() -> None:
    said = kiosk.ask(b'{"v": 1, "request_id": "r-1", "unit": "B3-1602"}', KIOSK, NOW)
    assert (said.request_id, said.bill_no, said.unit) == ("r-1", None, "B3-1602")
    with pytest.raises(Refused) as caught:
        kiosk.ask(b'{"request_id": "r-1"}', KIOSK, NOW)
    assert caught.value.reason == "missing_field"


def test_only_a_kiosk_pays_and_asks() -> None:
    for refused in (
        pytest.raises(Refused, match="not_a_kiosk"),
        pytest.raises(Refused, match="bin-native"),
    ):
        with refused:
            kiosk.pay(payload(), make_known("bin-native"), NOW, WINDOW)
    with pytest.raises(Refused, match="not_a_kiosk"):
        kiosk.ask(b"{}", make_known("bin-native"), NOW)
