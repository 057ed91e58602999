"""The house's policy between an alarm and people: the part `alarms` of config/dispatch.yaml."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from config.duration import Duration
from config.text import Text
from dispatch.status import Severity
from rules.rule import Group

EmergencyKind = Literal["storm", "flood", "earthquake", "epidemic", "power", "other"]

# What the schema takes at most.
LONGEST_MUTE = timedelta(days=90)
LONGEST_ACKNOWLEDGEMENT = timedelta(days=7)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Grouping(_Part):
    """Which alarms become one order where their rules do not say."""

    by: Literal["asset", "area"]
    within: Duration

    @property
    def group(self) -> Group:
        """The same as a rule says it."""
        return Group(self.by, self.within)


class EmergencyPolicy(_Part):
    """Which alarms wait while a community is in an emergency, and what emergencies are called."""

    holds: frozenset[Severity]
    kinds: Mapping[EmergencyKind, Text]

    @model_validator(mode="after")
    def _is_safe(self) -> "EmergencyPolicy":
        if "critical" in self.holds:
            raise ValueError("holds: a critical alarm goes through in an emergency, too")
        if missing := set(get_args(EmergencyKind)) - set(self.kinds):
            raise ValueError(f"kinds: {', '.join(sorted(missing))} missing; every kind needs a name")
        return self


class Terms(_Part):
    """How long something stands unless somebody says otherwise, and at most."""

    usual: Duration
    longest: Duration

    @model_validator(mode="after")
    def _in_order(self) -> "Terms":
        if not timedelta() < self.usual <= self.longest:
            raise ValueError("usual: must be longer than nothing and at most `longest`")
        return self


class AlarmPolicy(_Part):
    """All of `alarms`."""

    group: Grouping | None
    emergency: EmergencyPolicy
    acknowledge: Terms
    mute: Terms

    @model_validator(mode="after")
    def _can_be_kept(self) -> "AlarmPolicy":
        if self.acknowledge.longest > LONGEST_ACKNOWLEDGEMENT:
            raise ValueError("acknowledge: longest: at most 7d")
        if self.mute.longest > LONGEST_MUTE:
            raise ValueError("mute: longest: at most 90d")
        return self
