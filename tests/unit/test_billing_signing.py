"""Signatures, receipts and due dates."""

import json
from base64 import b64decode
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.period import Period
from billing.policy import BadPolicy, Policy, load_policy
from billing.receipts import Taken, not_found, nothing_due, receipt
from billing.signing import canonical, generate_key_pair, key_pair_of, sign, signed, verify

KEYS = generate_key_pair()
bodies = st.dictionaries(
    st.text(max_size=10), st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1) | st.none(), max_size=6
)


@given(bodies)
def test_a_signature_fits_its_body_in_any_order_and_no_other(body: dict[str, str | int | None]) -> None:
    message = signed(body, KEYS.private_key)
    shuffled = dict(reversed(message.items()))
    signature = b64decode(str(message["signature"]))
    assert verify(canonical(shuffled), signature, KEYS.public_key)
    assert not verify(canonical({**body, "amount_fen": -1, "x": "y"}), signature, KEYS.public_key)
    assert not verify(canonical(body), signature, generate_key_pair().public_key)


def test_a_key_or_signature_that_is_none_verifies_nothing() -> None:
    signature = b64decode(sign({"a": 1}, KEYS.private_key))
    message = canonical({"a": 1})
    for key in (None, "", "x", "AAAA", 7, KEYS.public_key + "="):
        assert not verify(message, signature, key)
    for wrong in (b"", b"x", signature[:-1], signature + b"x"):
        assert not verify(message, wrong, KEYS.public_key)
    assert key_pair_of(b"s" * 32) == key_pair_of(b"s" * 32)


def test_a_known_signature() -> None:
    # RFC 8032, section 7.1, test 2: the key signs the byte 0x72.
    key = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify(b"\x72", signature, key)
    assert not verify(b"\x73", signature, key)


def test_a_receipt_says_what_became_of_the_money() -> None:
    taken = Taken("K1-1", "R1", "2026-10-g-1", "1", 500, 300, 0, datetime(2026, 11, 1, tzinfo=UTC))
    said = json.loads(receipt(taken))
    assert said["prepaid_fen"] == 200
    assert said["recorded_at"] == "2026-11-01T00:00:00Z"
    assert "¥2.00" in said["text"]["zh"]
    assert "prepayment" in said["text"]["en"]
    assert json.loads(nothing_due("1", "B1", 5))["status"] == "nothing_due"
    assert json.loads(not_found("1", None, "B1"))["unit"] == "B1"


def test_a_bill_is_due_on_its_day_but_never_too_soon() -> None:
    policy = Policy.model_validate({"communities": {"lake": {"due_day": 10}}})
    october = Period(2026, 10)
    assert policy.due_on("garden", october, date(2026, 11, 1)) == date(2026, 11, 25)
    assert policy.due_on("lake", october, date(2026, 10, 20)) == date(2026, 11, 10)
    assert policy.due_on("garden", october, date(2026, 11, 20)) == date(2026, 12, 4)
    assert load_policy() == Policy()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("due_day: 31", "due_day: 31: Input should be less than or equal to 28"),
        ("due_dya: 3", "due_dya: 3: Extra inputs are not permitted"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_policy_names_file_field_and_value(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "billing.yaml"
    path.write_text(written)
    with pytest.raises(BadPolicy, match=said) as refused:
        load_policy(path)
    assert str(path) in str(refused.value)
    with pytest.raises(BadPolicy, match="cannot be read"):
        load_policy(tmp_path / "none.yaml")
