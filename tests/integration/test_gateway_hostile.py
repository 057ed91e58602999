"""Any bytes on any topic are accepted or become a dead letter: never an exception, never half a message."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.ingest import Ingest
from gateway.delivery import Delivery, readable_topic
from gateway.refusals import REASONS
from tests.integration.gateway_world import make_ingest, make_world, one
from tests.manual_clock import START, ManualClock

EUI = "1000000000000001"
TOPICS = st.one_of(
    st.sampled_from(
        [
            "clerestory/court/bin-1/up",
            "clerestory/court/lift-1/up",
            "clerestory/court/bin-1/status",
            "clerestory/court/kiosk-1/pay",
            "clerestory/court/kiosk-1/ask",
            "clerestory/court/nobody/up",
            f"application/1/device/{EUI}/event/up",
            "v3/app@ttn/devices/x/up",
        ]
    ).map(str.encode),
    st.binary(max_size=60),
    st.binary(max_size=10).map(lambda part: b"clerestory/" + part + b"/bin-1/up"),
)
NAMES = [
    "v",
    "ts",
    "readings",
    "events",
    "code",
    "detail",
    "fill_percent",
    "floor",
    "direction",
    "deviceInfo",
]
NAMES += [
    "devEui",
    "time",
    "data",
    "object",
    "distance",
    "position",
    "signature",
    "request_id",
    "unit",
    "amount_fen",
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**30), 2**53, 2**63]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(
        ["\0", "\ud800", START.isoformat(), "2026-11-23T07:00:00", "AQID", EUI, "up", "inf", "overspeed"]
    ),
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), inner, max_size=6),
    ),
    max_leaves=20,
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {"v": st.just(1), "ts": st.one_of(st.just(START.isoformat()), LEAVES)},
    optional={
        "readings": st.dictionaries(
            st.sampled_from(["fill_percent", "tilted", "floor", "direction"]), LEAVES
        ),
        "events": st.lists(st.fixed_dictionaries({"code": st.sampled_from(["overspeed", "02"])}), max_size=3),
        "deviceInfo": st.just({"devEui": EUI}),
        "time": st.just(START.isoformat()),
        "object": st.dictionaries(st.sampled_from(["distance", "position", "battery"]), LEAVES),
        "request_id": LEAVES,
        "unit": LEAVES,
        "transaction_id": LEAVES,
        "amount_fen": LEAVES,
        "method": st.just("cash"),
        "bill_no": LEAVES,
        "signature": st.just("AQID"),
    },
)
PAYLOADS = st.one_of(
    st.binary(),
    st.one_of(BODIES, NEARLY_RIGHT, st.lists(NEARLY_RIGHT, max_size=3)).map(
        lambda body: json.dumps(body).encode()
    ),
    st.sampled_from(
        [
            b"[" * 60_000,
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b'{"v":1,"ts":"2026-11-23T07:00:00Z","readings":{"fill_percent":' + b"9" * 60_000 + b"}}",
            b"\x00" * 70_000,
            b"online",
            '{"v":1,"ts":"2026-11-23T07:00:00Z","层门":1}'.encode("gbk"),
            '{"request_id":"三幢"}'.encode("gbk"),
            b'{"v":1,"ts":"2026-11-23T07:00:00Z","readings":{"fill_percent":1,"fill_percent":2}}',
        ]
    ),
)
MESSAGES = st.lists(st.tuples(TOPICS, PAYLOADS), min_size=1, max_size=4)


@pytest.fixture
async def ingest(conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock) -> Ingest:
    await make_world(conn)
    return make_ingest(pool, clock)


@settings(
    max_examples=300,
    deadline=None,
    # One database for all examples is what we want: what one message leaves must not trip the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(messages=MESSAGES)
async def test_any_bytes_on_any_topic(
    ingest: Ingest, conn: AsyncConnection, messages: list[tuple[bytes, bytes]]
) -> None:
    deliveries = [Delivery(readable_topic(topic), payload[:65_537], START) for topic, payload in messages]
    outcomes = await ingest.take(deliveries)
    assert len(outcomes) == len(deliveries)
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if outcome is None:
            continue
        assert outcome.reason in REASONS
        assert outcome.reason not in ("refused_by_database", "our_fault"), (delivery, outcome)
        assert outcome.detail
        kept = await one(
            conn,
            "SELECT count(*) FROM dead_letter WHERE topic = %(topic)s AND payload = %(payload)s",
            {"topic": delivery.topic, "payload": delivery.payload},
        )
        assert kept == 1
