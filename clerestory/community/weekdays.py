"""Days of the week as people write them: daily, mon-fri, [sat, sun], fri-mon."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_days(written: object) -> tuple[int, ...]:
    """Give ISO weekdays (Monday is 1) in order; anything else is refused with what would be right."""
    parts = written if isinstance(written, list | tuple) else str(written).split(",")
    days = {day for part in parts for day in _span(part)}
    return tuple(sorted(days))


def _span(part: object) -> list[int]:
    if isinstance(part, int) and 1 <= part <= len(DAYS):
        return [part]
    text = str(part).strip().lower()
    if text == "daily":
        return list(range(1, 8))
    first, _, last = text.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise ValueError(f"{part!r} is no weekday; write daily, mon-fri, sat, or [mon, wed]")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return [day % 7 + 1 for day in range(start, (end if end >= start else end + 7) + 1)]
