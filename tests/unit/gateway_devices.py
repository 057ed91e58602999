"""Devices as the gateway knows them, for tests of the envelopes; no database behind them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.profiles import load_profiles
from gateway.known import Known, Window, known
from gateway.signals import Device

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
WINDOW = Window(retention=timedelta(days=400))
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "lorawan"


def make_known(profile: str, **attributes: object) -> Known:
    """A device of this profile, attached to an asset of the profile's class."""
    made = load_profiles()[profile]
    device = Device(
        community_id=1,
        device_id=7,
        community="garden",
        code="d-7",
        profile=profile,
        asset_id=None if made.asset_class is None else 3,
        asset_class=made.asset_class,
        attributes=attributes,
    )
    return known(device, made)
