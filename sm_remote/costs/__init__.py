"""What training jobs cost: prices, estimates, limits, and the ledger of what was spent."""

from sm_remote.costs.charges import Charges
from sm_remote.costs.demand import Demand, read_demand
from sm_remote.costs.entry import Entry, EntryState, find_billed
from sm_remote.costs.estimate import Estimate
from sm_remote.costs.foresight import Foresight, foresee
from sm_remote.costs.ledger import Ledger
from sm_remote.costs.limit import Limits, describe_most, read_mark
from sm_remote.costs.price import Price, Rate, render_hourly, render_usd
from sm_remote.costs.price_book import PriceBook, choose_region, rate_job, read_price_book, refresh
from sm_remote.costs.spending import Spending, describe_charge, find_spending
from sm_remote.costs.upkeep import BACKGROUND, Upkeep, settle_open

__all__ = [
    "Price",
    "Rate",
    "PriceBook",
    "choose_region",
    "rate_job",
    "read_price_book",
    "refresh",
    "Estimate",
    "Foresight",
    "foresee",
    "Limits",
    "Demand",
    "read_demand",
    "read_mark",
    "Charges",
    "Entry",
    "EntryState",
    "find_billed",
    "Ledger",
    "Spending",
    "describe_charge",
    "find_spending",
    "BACKGROUND",
    "Upkeep",
    "settle_open",
    "render_hourly",
    "render_usd",
    "describe_most",
]
