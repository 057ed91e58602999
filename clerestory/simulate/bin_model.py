"""How a bin fills on an ordinary day. Pure: time and chance come in, reports go out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

FULL = 100.0
# Share of a day's waste that falls into each hour: little at night, most after breakfast and supper.
HOURS = (1, 0, 0, 0, 0, 1, 3, 7, 8, 5, 4, 5, 7, 5, 3, 3, 4, 6, 9, 11, 8, 5, 3, 2)
ONE_IN = 9  # so many rounds are too late for one bin


@dataclass(slots=True)
class BinModel:
    """One bin and its sensor. `a_day` is what a day puts into it, in per cent."""

    device: str
    fill: float
    a_day: float
    battery: float
    collected_at: float
    temperature: float = 18.0
    held: bool = False
    tipped: bool = False

    @classmethod
    def some(cls, device: str, chance: Random, fill: float | None = None) -> "BinModel":
        """An ordinary bin, somewhere between empty and due."""
        return cls(
            device=device,
            fill=chance.uniform(5, 65) if fill is None else fill,
            a_day=chance.uniform(55, 110),
            battery=chance.uniform(55, 98),
            collected_at=_next_round(chance),
        )

    def pass_time(self, span: timedelta, now: datetime, chance: Random) -> None:
        """Let waste fall in; the ordinary round empties most bins in time, and comes late to some."""
        share = HOURS[now.hour] / sum(HOURS) / 3600
        self.fill = min(
            FULL, self.fill + self.a_day * share * span.total_seconds() * chance.uniform(0.6, 1.4)
        )
        self.temperature += (16 - self.temperature) * 0.05 + chance.uniform(-0.3, 0.3)
        self.battery = max(20.0, self.battery - 0.0002)
        if self.fill >= self.collected_at and not self.held:
            self.empty(chance)

    def empty(self, chance: Random) -> None:
        """Somebody has emptied it, and it stands upright."""
        self.fill = chance.uniform(0, 3)
        self.collected_at = _next_round(chance)
        self.held = self.tipped = False

    def readings(self) -> dict[str, float | bool | str]:
        """What the sensor reports."""
        return {
            "fill_percent": round(self.fill, 1),
            "battery_percent": round(self.battery),
            "temperature_c": round(self.temperature, 1),
            "tilted": self.tipped,
        }


def _next_round(chance: Random) -> float:
    """The level at which the round comes by; beyond full means that it does not come in time."""
    return FULL + 1 if chance.randrange(ONE_IN) == 0 else chance.uniform(58, 84)
