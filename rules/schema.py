"""The shape of a rule file. What the words mean together is checked in `rules.compile`."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, StrictBool

from config.checklist import ChecklistItem
from config.duration import Duration
from config.text import Text
from rules.rule import Severity

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_LONGEST = timedelta(days=366)


def _sensible(length: timedelta) -> timedelta:
    if not timedelta() < length <= _LONGEST:
        raise ValueError("must be longer than nothing and at most 366d")
    return length


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Span = Annotated[Duration, AfterValidator(_sensible)]
Codes = Annotated[list[Code], BeforeValidator(_listed), Field(min_length=1)]
Sentence = Annotated[str, Field(min_length=1, max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class Said(_Part):
    """A text in both languages, neither empty."""

    zh: Sentence
    en: Sentence

    def text(self) -> Text:
        return Text(zh=self.zh, en=self.en)


class Steps(_Part):
    """What to do, in at most three steps a language."""

    zh: Annotated[list[Sentence], Field(min_length=1, max_length=3)]
    en: Annotated[list[Sentence], Field(min_length=1, max_length=3)]

    def text(self) -> Text:
        return Text(zh="\n".join(self.zh), en="\n".join(self.en))


class AttributeSpec(_Part):
    """An attribute an asset may carry, and what holds where it does not."""

    type: Literal["number", "boolean", "text"]
    default: StrictBool | float | str
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    label: Said


class OrderSpec(_Part):
    """The work an alarm asks for."""

    kind: Code
    skill: Code
    cancel_on_clear: bool = False
    respond: Span | None = None
    arrive: Span | None = None
    complete: Span | None = None
    checklist: list[ChecklistItem] = []


class HoldSpec(_Part):
    """One thing that keeps an alarm from people: exactly one of these words."""

    order: Codes | None = None
    at_work: Codes | None = None
    parent: Codes | None = None
    alarm: Codes | None = None
    inspection: Literal[True] | None = None
    emergency: StrictBool | None = None


class GroupSpec(_Part):
    """Alarms that become one order: of one asset or of one area, within a time."""

    by: Literal["asset", "area"]
    within: Span


class TriggerSpec(_Part):
    """One way for an alarm to be raised: `when`, `on`, `on` with `when`, `silent` or `offline`."""

    when: str | None = None
    hold: Span | None = Field(default=None, alias="for")
    on: Codes | None = None
    times: Annotated[int, Field(ge=2, le=100)] | None = None
    within: Span | None = None
    silent: Literal["by_profile"] | Span | None = None
    offline: Literal[True] | None = None
    unless: str | Literal[False] | None = None
    during: str | Literal[False] | None = None


class RungSpec(_Part):
    """A step of a severity ladder: by a condition (`when`, `for`), or by the time gone by (`after`)."""

    severity: Severity
    when: str | None = None
    hold: Span | None = Field(default=None, alias="for")
    after: Span | None = None
    down_after: Span | None = None
    during: str | None = None


class FlappingSpec(_Part):
    """What is raised more often than this is one alarm until it was `quiet` (`within` if left out)."""

    times: Annotated[int, Field(ge=2, le=50)]
    within: Span
    quiet: Span | None = None


class RuleSpec(TriggerSpec):
    """One rule: its trigger (or several under `any`), how it ends, what it means, what is to be done."""

    severity: Severity
    title: Said
    meaning: Said
    todo: Steps
    safety: Said
    any: Annotated[list[TriggerSpec], Field(min_length=1)] | None = None
    clear: str | None = None
    clear_on: Codes | None = None
    clear_after: Span | None = None
    keep: Span | None = None
    late_after: Span | None = None
    order: OrderSpec | None = None
    inhibited_by: Annotated[list[HoldSpec], Field(min_length=1)] | None = None
    group: GroupSpec | Literal[False] | None = None
    ladder: Annotated[list[RungSpec], Field(min_length=1, max_length=10)] | None = None
    flapping: FlappingSpec | Literal[False] | None = None


class RuleFile(_Part):
    """A rule file: the rules of one asset class."""

    asset_class: Code
    attributes: dict[Code, AttributeSpec] = {}
    unless: str | None = None
    flapping: FlappingSpec | None = None
    rules: Annotated[dict[Code, RuleSpec], Field(min_length=1)]


# Everything whose fields a rule file may write, for naming the nearest to a mistyped one.
PARTS = (
    RuleFile,
    RuleSpec,
    OrderSpec,
    HoldSpec,
    GroupSpec,
    RungSpec,
    FlappingSpec,
    AttributeSpec,
    Said,
    ChecklistItem,
)
