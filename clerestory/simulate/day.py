"""A plausible day of a whole community: every sensor reports, and now and then something happens.

Bins live faster than the clock (`speed`), elevators do not: nobody believes a car that climbs a tower in a
second. Times on the wire are real. A sensor that was just switched on first sends what it kept, so charts are
not empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from clerestory.simulate.bin_model import BinModel
from clerestory.simulate.elevator_model import ElevatorModel
from clerestory.simulate.radio import frame, uplink
from clerestory.simulate.timeline import Report, payload, topic
from clerestory.simulate.uplinks import Publication
from clerestory.store import SensorRow

BIN_EVERY = timedelta(seconds=20)
ELEVATOR_EVERY = timedelta(seconds=6)
KEPT = timedelta(hours=6)
KEPT_EVERY = timedelta(minutes=10)
OVERFLOWED_AGO = timedelta(minutes=8)
TIPPED_AT = timedelta(seconds=15)
DOOR_FAULTS_AT = (timedelta(seconds=25), timedelta(seconds=35), timedelta(seconds=45))
TRAPPED_AT = timedelta(seconds=90)
RELEASED_AFTER = timedelta(minutes=6)
TRAPS_EVERY = timedelta(minutes=30)
DEPTH_MM = 1250
ROOM_LEFT = 75.0


@dataclass(slots=True)
class Day:
    """All sensors of one community. `begin` says what they kept, `tick` what they say now."""

    community: str
    speed: float
    chance: Random
    bins: dict[str, BinModel] = field(default_factory=dict)
    radios: dict[str, SensorRow] = field(default_factory=dict)
    elevators: dict[str, ElevatorModel] = field(default_factory=dict)
    heard: Mapping[str, tuple[datetime, float]] = field(default_factory=dict)
    overflowing: str = ""
    tipped: str = ""
    _began: datetime | None = None
    _told: dict[str, datetime] = field(default_factory=dict)
    _faults: int = 0
    _trapped: tuple[str, datetime] | None = None
    _next_trap: timedelta = TRAPPED_AT
    _counter: int = 0

    @classmethod
    def of(
        cls,
        community: str,
        sensors: Sequence[SensorRow],
        heard: Mapping[str, tuple[datetime, float]],
        chance: Random,
        *,
        speed: float,
    ) -> "Day":
        """The day of these sensors; bins go on from how full they were last heard to be."""
        day = cls(community, speed, chance, heard=heard)
        for sensor in sensors:
            if sensor.asset_class == "elevator":
                day.elevators[sensor.code] = _elevator(sensor, chance)
            elif sensor.profile in {"bin-native", "milesight-em310-udl", "milesight-em400"}:
                day.bins[sensor.code] = BinModel.some(
                    sensor.code, chance, heard[sensor.code][1] if sensor.code in heard else None
                )
                if sensor.dev_eui is not None:
                    day.radios[sensor.code] = sensor
        return day

    def begin(self, now: datetime) -> Iterator[Publication]:
        """Switch on: what native sensors kept of the last hours, one bin of them overflowing."""
        self._began = now
        free = [code for code, bin_ in self.bins.items() if code not in self.radios and bin_.fill < ROOM_LEFT]
        # What a sensor kept counts only from when it was last heard: best is one silent for a while.
        silent = [code for code in free if self._silent_since(code) < now - OVERFLOWED_AGO]
        if free:
            self.overflowing = self.chance.choice(silent or free)
            self.tipped = self.chance.choice([code for code in free if code != self.overflowing] or [""])
        for index, code in enumerate(self.bins):
            self._told[code] = now - BIN_EVERY * (index / len(self.bins))
            if code not in self.radios:
                yield self._kept(code, now)
        for index, code in enumerate(self.elevators):
            self._told[code] = now - ELEVATOR_EVERY * (index / len(self.elevators))

    def tick(self, now: datetime) -> Iterator[Publication]:
        """Say what is due by now."""
        began = self._began or now
        for code, bin_ in self.bins.items():
            if now - self._told[code] >= BIN_EVERY:
                bin_.pass_time(
                    (now - self._told[code]) * self.speed, _fast(began, now, self.speed), self.chance
                )
                self._told[code] = now
                yield self._bin(code, now)
        for code, car in self.elevators.items():
            if now - self._told[code] >= ELEVATOR_EVERY:
                self._told[code] = now
                yield self._say(Report(now, code, car.readings(self.chance), car.tick(self.chance)))
        yield from self._happenings(now, now - began)

    def first_words(self, now: datetime) -> Iterator[Publication]:
        """What everything says that has kept nothing: each radio and each elevator once."""
        for code in self.radios:
            yield self._bin(code, now)
        for car in self.elevators.values():
            yield self._say(Report(now, car.device, car.readings(self.chance)))

    def mended(self, device: str) -> None:
        """Somebody has been there: the bin is empty, the car runs again."""
        if device in self.bins:
            self.bins[device].empty(self.chance)
        if self._trapped is not None and self._trapped[0] == device:
            self._trapped = (device, self._trapped[1] - RELEASED_AFTER)

    def _kept(self, code: str, now: datetime) -> Publication:
        bin_ = self.bins[code]
        steps = KEPT // KEPT_EVERY
        reports = []
        for step in range(steps):
            ago = KEPT_EVERY * (steps - step)
            share = 1 - ago / KEPT
            fill = round(bin_.fill * share, 1)
            reports.append(Report(now - ago, code, {**bin_.readings(), "fill_percent": fill}))
        if code == self.overflowing:
            bin_.fill, bin_.held = 96.0, True
            reports.append(Report(now - OVERFLOWED_AGO, code, {"fill_percent": 92.5}))
            reports.append(Report(now - OVERFLOWED_AGO / 2, code, {"fill_percent": 94.5}))
        reports.append(Report(now, code, bin_.readings()))
        new = [report for report in reports if report.ts > self._silent_since(code)]
        return Publication(topic(self.community, code), payload(*new))

    def _silent_since(self, code: str) -> datetime:
        return self.heard[code][0] if code in self.heard else datetime.min.replace(tzinfo=UTC)

    def _bin(self, code: str, now: datetime) -> Publication:
        bin_ = self.bins[code]
        radio = self.radios.get(code)
        if radio is None or radio.dev_eui is None:
            return self._say(Report(now, code, bin_.readings()))
        empty = _number(radio, "empty_distance_mm", DEPTH_MM)
        full = _number(radio, "full_distance_mm", 0)
        data = frame(
            radio.profile,
            battery=round(bin_.battery),
            distance_mm=round(empty - (empty - full) * bin_.fill / 100),
            temperature_c=bin_.temperature,
            tilted=False,
        )
        self._counter += 1
        return uplink(radio.dev_eui, data, now, self._counter)

    def _happenings(self, now: datetime, since: timedelta) -> Iterator[Publication]:
        if self.tipped and since >= TIPPED_AT:
            self.bins[self.tipped].tipped = True
            yield self._say(Report(now, self.tipped, {"tilted": True}, ("tilt_alarm",)))
            self.tipped = ""
        cars = list(self.elevators.values())
        if not cars:
            return
        if self._faults < len(DOOR_FAULTS_AT) and since >= DOOR_FAULTS_AT[self._faults]:
            self._faults += 1
            car = cars[len(cars) // 4]
            yield self._say(Report(now, car.device, events=("door_close_fault",)))
        if self._trapped is None and since >= self._next_trap:
            car = self.chance.choice(cars)
            self._trapped, self._next_trap = (car.device, now), since + TRAPS_EVERY
            yield self._say(Report(now, car.device, events=car.trap()))
        elif self._trapped is not None and now - self._trapped[1] >= RELEASED_AFTER:
            car = self.elevators[self._trapped[0]]
            self._trapped = None
            yield self._say(Report(now, car.device, events=car.release()))

    def _say(self, report: Report) -> Publication:
        return Publication(topic(self.community, report.device), payload(report))


def _fast(began: datetime, now: datetime, speed: float) -> datetime:
    """What a clock would show that runs as fast as the bins fill."""
    return began + (now - began) * speed


def _elevator(sensor: SensorRow, chance: Random) -> ElevatorModel:
    floors = int(_number(sensor, "floors", 12))
    return ElevatorModel(
        device=sensor.code,
        floors=floors,
        speed=_number(sensor, "rated_speed_m_s", 1.5),
        hours=chance.uniform(9000, 14000),
        cycles=chance.randrange(400_000, 900_000),
        floor=chance.randint(1, floors),
    )


def _number(sensor: SensorRow, name: str, default: float) -> float:
    value = sensor.attributes.get(name, default)
    return float(value) if isinstance(value, int | float) else default
