"""What kiosks send: a signed payment, and a question about a bill."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import rfc8785

from gateway.envelopes.explain import UNREADABLE
from gateway.kiosk import KioskAsk, KioskPayment, Method
from gateway.known import Known, Window
from gateway.refusals import Refused, shown

ZonedTime = Annotated[datetime, msgspec.Meta(tz=True)]
# A clock that was never set says a year that the database keeps and nobody can read back.
EARLIEST_YEAR = 1970
# Identities become keys in the database; printable, and short enough for an index.
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


Body = TypeVar("Body", bound=msgspec.Struct)


class _Pay(msgspec.Struct):
    v: Literal[1]
    ts: ZonedTime
    transaction_id: Key
    bill_no: Key
    unit: Key
    amount_fen: int
    method: Method


class _Ask(msgspec.Struct):
    request_id: Key
    bill_no: Key | None = None
    unit: Key | None = None


def pay(payload: bytes, known: Known, received_at: datetime, window: Window) -> KioskPayment:
    """Read a payment, or refuse it; whether its signature and its bill are right is for billing to say."""
    body = _object(payload, known)
    signature = _signature(body.pop("signature", None))
    said = _convert(body, _Pay)
    if said.ts > received_at + window.ahead:
        raise Refused(
            "ts_ahead", f"ts {said.ts.isoformat()} is ahead of {received_at.isoformat()}; set the clock"
        )
    if said.ts.year < EARLIEST_YEAR:
        raise Refused("bad_time", f"ts {said.ts.isoformat()} is before there were kiosks; set the clock")
    try:
        canonical = rfc8785.dumps(body)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise Refused("bad_type", f"the body has no canonical form to sign: {error}") from None
    return KioskPayment(
        device=known.device,
        received_at=received_at,
        ts=said.ts,
        transaction_id=said.transaction_id,
        bill_no=said.bill_no,
        unit=said.unit,
        amount_fen=said.amount_fen,
        method=said.method,
        signature=signature,
        canonical=canonical,
    )


def ask(payload: bytes, known: Known, received_at: datetime) -> KioskAsk:
    """Read a question about a bill, or refuse it."""
    said = _convert(_object(payload, known), _Ask)
    if said.bill_no is None and said.unit is None:
        raise Refused("missing_field", "neither bill_no nor unit is given; right would be one of them")
    return KioskAsk(known.device, received_at, said.request_id, said.bill_no, said.unit)


def _object(payload: bytes, known: Known) -> dict[str, Any]:
    if known.profile.envelope != "kiosk":
        raise Refused("not_a_kiosk", f"device {known.device.code!r} has profile {known.profile.name!r}")
    try:
        body = msgspec.json.decode(payload)
    except UNREADABLE as error:
        raise Refused("not_json", f"payload {shown(payload)}: {error}") from None
    if not isinstance(body, dict):
        raise Refused("bad_type", f"the payload is {shown(body)}; right would be an object")
    return body


def _signature(value: object) -> bytes:
    if not isinstance(value, str):
        raise Refused(
            "missing_field", f"signature is {shown(value)}; right would be base64 of an Ed25519 signature"
        )
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("bad_type", f"signature is {shown(value)}; right would be base64") from None


def _convert(body: dict[str, Any], kind: type[Body]) -> Body:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        message = str(error)
        if "timezone" in message:
            raise Refused("not_zoned", message) from None
        if "RFC3339" in message:
            raise Refused("bad_time", message) from None
        raise Refused("missing_field" if "missing" in message else "bad_type", message) from None
