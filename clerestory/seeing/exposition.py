"""One process in the words of Prometheus: what is kept anyway, read when somebody asks."""

import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from psycopg_pool import AsyncConnectionPool

from clerestory.seeing.watch import Watch
from gateway.refusals import REASONS
from gateway.session import Session
from gateway.tally import DROPS, Spread, Tally
from web.traffic import Traffic


class Exposition(Collector):
    """Everything one process knows of itself."""

    def __init__(self, watch: Watch, pool: AsyncConnectionPool) -> None:
        self._watch = watch
        self._pool = pool
        self._besides: Iterable[Metric] = ()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self, besides: Iterable[Metric] = ()) -> bytes:
        """All of it, as of this moment: nothing else runs meanwhile. `besides` was read just before."""
        self._besides = besides
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give every family of figures of our own."""
        watch = self._watch
        roles = ",".join(watch.roles) or "none"
        yield InfoMetricFamily(
            "clerestory_build", "What runs here.", {"version": version("clerestory"), "roles": roles}
        )
        yield _histogram(
            "clerestory_event_loop_late_seconds", "How late the event loop was.", watch.event_loop.late
        )
        yield from pool_metrics(self._pool.get_stats())
        if watch.session is not None:
            yield from gateway_metrics(watch.session)
        if watch.loops:
            yield from _loops(watch)
        if "web" in watch.roles:
            yield from web_metrics(watch.traffic)
        yield from self._besides


def gateway_metrics(session: Session) -> Iterator[Metric]:
    """Give what one gateway did with what it received."""
    tally, balance = session.tally, session.balance
    yield _count("gateway_received", "Messages taken off the connection.", balance.received)
    yield _count("gateway_committed", "Messages committed to the database.", balance.committed)
    yield _labelled(
        Counter("clerestory_gateway_refused", "Messages kept as dead letters, by reason.", labels=["reason"]),
        {reason: tally.refused[reason] for reason in REASONS},
    )
    yield _labelled(
        Counter(
            "clerestory_gateway_dropped",
            "Messages thrown away unread. They come again, except those sent with QoS 0 (not_promised).",
            labels=["why"],
        ),
        {why: tally.dropped[why] for why in DROPS},
    )
    yield _labelled(
        Gauge("clerestory_gateway_in_flight", "Messages received and not yet settled.", labels=["where"]),
        {"queue": balance.waiting, "batch": balance.in_hand},
    )
    yield _gauge(
        "gateway_unaccounted",
        "received - committed - refused - dropped - in flight; anything but 0 is our fault.",
        balance.missing,
    )
    yield _count("gateway_acknowledged", "Messages acknowledged to the broker.", tally.acknowledged)
    yield _gauge("gateway_queue_octets", "Bytes of payload that wait in the queue.", session.octets)
    yield _gauge(
        "gateway_paused", "1 while the queue is full and the socket is not read.", not session.reading
    )
    yield _gauge("gateway_connected", "1 while the broker is connected.", session.connected.is_set())
    yield _count("gateway_connections", "Times the broker was connected.", session.connections)
    yield _count("gateway_commit_failures", "Batches that had to be tried again.", tally.failures)
    yield _gauge("gateway_batch_held_seconds", "How long the batch in hand has waited.", _held(tally))
    yield _gauge(
        "gateway_last_commit_age_seconds",
        "Time since the last commit; NaN before it.",
        _age(tally.committed_at),
    )
    yield _histogram("clerestory_gateway_batch_messages", "Messages a batch.", tally.batches)
    yield _histogram("clerestory_gateway_commit_seconds", "Time a batch took to be committed.", tally.commits)
    yield _histogram(
        "clerestory_gateway_received_to_commit_seconds",
        "From receiving to commit, of the message of each batch that waited longest.",
        tally.since_received,
    )
    yield _histogram(
        "clerestory_gateway_event_to_commit_seconds",
        "From the event to its commit, of the first message of each batch.",
        tally.since_event,
    )


def pool_metrics(stats: Mapping[str, int]) -> Iterator[Metric]:
    """Give what the connections to the database are doing."""
    size, available = stats.get("pool_size", 0), stats.get("pool_available", 0)
    yield _labelled(
        Gauge("clerestory_pool_connections", "Connections to the database.", labels=["state"]),
        {"idle": available, "in_use": size - available},
    )
    yield _gauge("pool_largest", "Most connections the pool may have.", stats.get("pool_max", 0))
    yield _gauge("pool_waiting", "Callers that wait for a connection.", stats.get("requests_waiting", 0))
    yield _count("pool_requests", "Connections asked for.", stats.get("requests_num", 0))
    yield _count("pool_errors", "Connections asked for in vain.", stats.get("requests_errors", 0))
    yield _count(
        "pool_wait_seconds", "Time callers waited for a connection.", stats.get("requests_wait_ms", 0) / 1000
    )
    yield _count("pool_connections_lost", "Connections found broken.", stats.get("connections_lost", 0))


def web_metrics(traffic: Traffic) -> Iterator[Metric]:
    """Give what the pages are asked, and how fast they answer."""
    yield _labelled(
        Counter("clerestory_web_answers", "Requests answered, by status.", labels=["status"]),
        {status: traffic.answers[status] for status in ("2xx", "3xx", "4xx", "5xx")},
    )
    yield _histogram("clerestory_web_answer_seconds", "Time an answer took.", traffic.seconds)
    yield _gauge("web_streams", "Live pages that are open.", traffic.streams)


def _loops(watch: Watch) -> Iterator[Metric]:
    now = time.monotonic()
    turns = Counter("clerestory_worker_turns", "Turns of a kind of work.", labels=["work"])
    failures = Counter("clerestory_worker_failures", "Turns that failed.", labels=["work"])
    ages = Gauge(
        "clerestory_worker_turn_age_seconds", "Time since the last turn of a kind of work.", labels=["work"]
    )
    for name, loop in sorted(watch.loops.items()):
        turns.add_metric([name], loop.turns)
        failures.add_metric([name], loop.failures)
        ages.add_metric([name], now - loop.turned_at)
    yield from (turns, failures, ages)
    if watch.timers is not None:
        about = "Devices whose timers could not run, each tried again every few minutes."
        yield _gauge("worker_timers_failing", about, len(watch.timers.failing()))
    yield _gauge("worker_leading", "1 where this worker leads the schedule.", watch.leading)


def _held(tally: Tally) -> float:
    return 0.0 if tally.hand_since is None else time.monotonic() - tally.hand_since


def _age(at: float | None) -> float:
    return float("nan") if at is None else time.monotonic() - at


def _count(name: str, about: str, value: float) -> Metric:
    return Counter(f"clerestory_{name}", about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return Gauge(f"clerestory_{name}", about, value=float(value))


def _labelled(family: Counter | Gauge, values: Mapping[str, float]) -> Metric:
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _histogram(name: str, about: str, spread: Spread) -> Metric:
    buckets, seen = [], 0
    for bound, count in zip((*spread.bounds, float("inf")), spread.counts, strict=True):
        seen += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(seen)))
    return HistogramMetricFamily(name, about, buckets=buckets, sum_value=spread.total)
