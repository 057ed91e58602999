"""Which moments of a batch were heard late: a replay must not know of them any earlier. Pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from gateway.signals import Heard
from rules.replay.ears import AT_ONCE
from storage.store import LateMoment

LATEST = timedelta(microseconds=AT_ONCE)


def late_moments(batch: Sequence[Heard], signals: Mapping[str, int]) -> list[LateMoment]:
    """Each moment that was heard more than `AT_ONCE` after it; `signals` are their numbers."""
    late: list[LateMoment] = []
    if not batch:
        return late
    newest = max(batch[0].received_at, batch[-1].received_at) - LATEST  # quickly: nearly always none is
    for heard in batch:
        for each in heard.measured:
            if each.ts < newest and heard.received_at - each.ts > LATEST and each.values:
                signal = signals[next(iter(each.values))]
                late.append(LateMoment(*heard.device.key, each.ts, heard.received_at, signal))
        late += [
            LateMoment(*heard.device.key, event.ts, heard.received_at, code=event.code)
            for event in heard.events
            if event.ts < newest and heard.received_at - event.ts > LATEST
        ]
    return late
