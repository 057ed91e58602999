"""What a technician checks off: one shape for rules, plans, orders and maintenance records."""

from collections.abc import Iterable
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, model_validator

from config.text import Text


class ChecklistItem(BaseModel):
    """One line: a `check` that is as `expected`, a `number` with its range, or a `text` in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    name: Text
    type: Literal["check", "number", "text"] = "check"
    unit: str | None = None
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    expected: bool = True
    required: bool = True

    @model_validator(mode="after")
    def _each_to_its_type(self) -> Self:
        if self.type != "number" and (self.unit, self.min, self.max) != (None, None, None):
            raise ValueError(f"unit, min and max belong to type number, not to {self.type}")
        if self.type != "check" and not self.expected:
            raise ValueError(f"expected: false belongs to type check, not to {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is greater than max {self.max:g}")
        return self


_ITEMS = TypeAdapter(tuple[ChecklistItem, ...])


def read_items(stored: Any) -> tuple[ChecklistItem, ...]:  # noqa: ANN401 - JSON as it comes from the database
    """Parse a checklist as kept in a plan or an order."""
    return _ITEMS.validate_python(stored)


def dump_items(items: Iterable[ChecklistItem]) -> list[dict[str, Any]]:
    """Write a checklist in the form that plans and orders keep."""
    return [item.model_dump(mode="json") for item in items]
