"""Who moves an order, and with which tap."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class By:
    """One tap of one person; the system itself is `By()`.

    `staff_id` is set for a technician moving their own order and None for office staff.
    `request_id` names the tap: repeated, it is answered and not repeated. `device_at` is the phone's clock.
    """

    account_id: int | None = None
    staff_id: int | None = None
    device_at: datetime | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Who:
    """A person of the office who decides about alarms; without an account at the command line."""

    name: str
    account_id: int | None = None


SYSTEM = By()
