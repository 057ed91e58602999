"""How an elevator spends an ordinary day, and what it says when it does not. Pure."""

from dataclasses import dataclass
from random import Random
from typing import Literal

from clerestory.simulate.timeline import Value

Phase = Literal["waiting", "moving", "open", "stuck"]


@dataclass(slots=True)
class ElevatorModel:
    """One car: waits, moves, opens; or is stuck between two floors with somebody in it."""

    device: str
    floors: int
    speed: float
    hours: float
    cycles: int
    phase: Phase = "waiting"
    floor: int = 1
    target: int = 1

    def tick(self, chance: Random) -> tuple[str, ...]:
        """Go on to what comes next; returns the events of this moment."""
        if self.phase == "waiting" and chance.random() < 0.3:  # noqa: PLR2004 - as busy as it looks right
            self.target = chance.choice([each for each in range(1, self.floors + 1) if each != self.floor])
            self.phase = "moving"
            self.hours += abs(self.target - self.floor) * 3 / self.speed / 3600
        elif self.phase == "moving":
            self.floor, self.phase = self.target, "open"
            self.cycles += 1
        elif self.phase == "open":
            self.phase = "waiting"
        return ()

    def trap(self) -> tuple[str, ...]:
        """Stop between floors with somebody in the car."""
        self.phase = "stuck"
        return ("passenger_entrapment",)

    def release(self) -> tuple[str, ...]:
        """Let people out and run again."""
        was, self.phase = self.phase, "open"
        return ("automatic_restored",) if was == "stuck" else ()

    def readings(self, chance: Random) -> dict[str, Value]:
        """What the gateway in the car reports."""
        moving = self.phase == "moving"
        up = self.target > self.floor
        return {
            "floor": self.floor,
            "speed_m_s": round(self.speed * chance.uniform(0.95, 1.0), 2) if moving else 0.0,
            "direction": ("up" if up else "down") if moving else "stop",
            "door_closed": self.phase != "open",
            "in_door_zone": self.phase in {"waiting", "open"},
            "passenger_present": self.phase in {"moving", "open", "stuck"},
            "power_on": True,
            "service_mode": "normal",
            "door_vibration_db": round(chance.triangular(6, 15, 9), 2),
            "humidity_percent": round(chance.uniform(48, 56), 1),
            "running_hours": round(self.hours, 2),
            "door_cycles": self.cycles,
        }
