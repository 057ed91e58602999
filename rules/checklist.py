"""What a technician ticks off: the shape that rules, plans and maintenance records share."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.text import Text


class ChecklistItem(BaseModel):
    """One line of a checklist: a tick, a measured number with its allowed range, or a text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    name: Text
    type: Literal["check", "number", "text"]
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    required: bool = True

    @model_validator(mode="after")
    def _range_belongs_to_numbers(self) -> Self:
        if self.type != "number" and (self.unit, self.min, self.max) != (None, None, None):
            raise ValueError(f"unit, min and max belong to type number, not to {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is greater than max {self.max}")
        return self

    def as_json(self) -> dict[str, object]:
        """The item as it is kept in a jsonb column."""
        return self.model_dump(exclude_none=True)
