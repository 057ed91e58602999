"""When bills are due: configuration, per community where it says so (`config/billing.yaml`)."""

from datetime import date, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from billing.period import Period

SHIPPED = Path(__file__).parents[1] / "config" / "billing.yaml"


class BadPolicy(ValueError):
    """A billing policy that cannot be used; each line names the field, its value and what would be right."""


class _Due(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    due_day: int | None = Field(default=None, ge=1, le=28)
    due_least_days: int | None = Field(default=None, ge=0, le=90)


class Policy(BaseModel):
    """The shipped defaults, or a company's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    due_day: int = Field(default=25, ge=1, le=28)
    due_least_days: int = Field(default=14, ge=0, le=90)
    communities: dict[str, _Due] = Field(default_factory=dict)

    def due_on(self, community: str, period: Period, issued_on: date) -> date:
        """Choose the last day to pay a bill: a day of the month after, or later if it was issued late."""
        own = self.communities.get(community, _Due())
        day = self.due_day if own.due_day is None else own.due_day
        least = self.due_least_days if own.due_least_days is None else own.due_least_days
        return max(period.next.first.replace(day=day), issued_on + timedelta(days=least))


def load_policy(path: Path = SHIPPED) -> Policy:
    """Read a policy, or raise BadPolicy saying what is wrong where."""
    try:
        written = YAML(typ="safe").load(path)
        return Policy.model_validate(written or {})
    except OSError as error:
        raise BadPolicy(f"{path}: cannot be read: {error.strerror}") from error
    except YAMLError as error:
        raise BadPolicy(f"{path}: is not YAML: {error}") from error
    except ValidationError as error:
        wrong = "\n".join(
            f"{path}: {'.'.join(map(str, each['loc']))}: {each['input']!r}: {each['msg']}"
            for each in error.errors()
        )
        raise BadPolicy(wrong) from error
