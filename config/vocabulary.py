"""The shared vocabulary: asset classes, their signals, and what can happen to them."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from config.text import Text

SignalType = Literal["number", "boolean", "enum"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class UnknownName(KeyError):
    """A name the vocabulary does not have. `kind` says of what; `known` is what there is."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.kind = kind
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"unknown {self.kind} {self.name!r}; known: {', '.join(self.known)}"


class Says(BaseModel):
    """What a boolean signal says of its asset, as clauses that sentences are made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    yes: Text
    no: Text


class Signal(BaseModel):
    """A named quantity with its unit and physical range, or a boolean, or one of listed values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    type: SignalType
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    label: Text
    says: Says | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> "Signal":
        if (self.type == "enum") != bool(self.values):
            raise ValueError(f"{self.name}: `values` belongs to type enum, and enum needs it")
        if self.says is not None and self.type != "boolean":
            raise ValueError(f"{self.name}: `says` belongs to type boolean")
        if self.type != "number" and (self.minimum is not None or self.maximum is not None):
            raise ValueError(f"{self.name}: only a number has a minimum and a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"{self.name}: minimum {self.minimum} is not below maximum {self.maximum}")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"{self.name}: `values` repeats a value")
        return self


class EventKind(BaseModel):
    """Something that can happen, by its canonical code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Name
    on: tuple[Name, ...]
    label: Text


class Vocabulary(BaseModel):
    """Every name that devices, rules and pages share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asset_classes: dict[Name, Text]
    signals_by_class: dict[Name, dict[Name, Signal]]
    events: dict[Name, EventKind]

    @model_validator(mode="after")
    def _classes_exist(self) -> "Vocabulary":
        for asset_class in (
            *self.signals_by_class,
            *(each for kind in self.events.values() for each in kind.on),
        ):
            if asset_class not in self.asset_classes:
                raise ValueError(f"{asset_class!r} is not among asset_classes")
        return self

    def signals(self, asset_class: str) -> dict[str, Signal]:
        """Give the signals of one asset class by name; none for a class without sensors."""
        if asset_class not in self.asset_classes:
            raise UnknownName("asset class", asset_class, tuple(self.asset_classes))
        return self.signals_by_class.get(asset_class, {})

    def events_on(self, asset_class: str) -> dict[str, EventKind]:
        """Give what can happen to assets of one class, by code."""
        if asset_class not in self.asset_classes:
            raise UnknownName("asset class", asset_class, tuple(self.asset_classes))
        return {code: kind for code, kind in self.events.items() if asset_class in kind.on}

    def signal_names(self) -> tuple[str, ...]:
        """Every signal name of every class, once, in the order of the file."""
        return tuple(dict.fromkeys(name for signals in self.signals_by_class.values() for name in signals))


@cache
def load_vocabulary() -> Vocabulary:
    """Read the shipped vocabulary, once."""
    with (files("config") / "vocabulary.yaml").open(encoding="utf-8") as file:
        raw = YAML(typ="safe").load(file)
    return Vocabulary(
        asset_classes=raw["asset_classes"],
        signals_by_class={
            asset_class: {name: Signal(name=name, **body) for name, body in signals.items()}
            for asset_class, signals in raw["signals"].items()
        },
        events={code: EventKind(code=code, **body) for code, body in raw["events"].items()},
    )
