"""What time on an instance costs by the list prices of the catalogue. Pure; what AWS bills may differ."""

from __future__ import annotations

from sm_remote.catalogue.reader import PRICE_REGION, find_instance_type

_HOUR_S = 3600.0


def estimate_usd(instance_type: str | None, seconds: float, *, count: int = 1) -> float | None:
    """What so many seconds cost on demand in `PRICE_REGION`; None where the price is unknown.

    Args:
        instance_type: As requests name it.
        seconds: For how long.
        count: How many instances.
    """
    if instance_type is None:
        return None
    try:
        price = find_instance_type(instance_type).price_usd_per_hour(PRICE_REGION)
    except KeyError:
        return None
    return None if price is None else price * count * seconds / _HOUR_S


def render_usd(amount: float | None) -> str:
    """An amount as people read it: ``$1.84``, below a cent ``under $0.01``, ``unknown``."""
    if amount is None:
        return "unknown"
    if 0 < amount < 0.01:
        return "under $0.01"
    return f"${amount:,.2f}"
