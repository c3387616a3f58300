"""
The allocator: decides who gets which unit, atomically, on Valkey or Redis.

Other rooms import from here only. `lua/` holds the verbs, `README.md` the keys, the outcomes and the decisions.
"""

from . import census, errors
from .client import Unsafe, UnsafeServer, make_client, refuse_unsafe, unsafe_reasons
from .config import Acknowledge, Channel, ChannelLocation, Config, ConfigChange, Location, Rule, SkuConfig
from .core import Allocator
from .explanation import Explained
from .keys import KEYS, SellerKeys
from .model import (
    LINES_MAX,
    MOVES_MAX,
    UNITS_MAX,
    AdjustLine,
    CancelLine,
    Changed,
    Code,
    Demand,
    Disposition,
    Expired,
    Extended,
    Held,
    Hold,
    HoldRequest,
    Id,
    Level,
    Line,
    Moved,
    Order,
    OrderRequest,
    Placed,
    Released,
    Rescued,
    ReturnLine,
    Served,
    ShipLine,
    ShipTo,
    Sku,
    StockLine,
    Take,
    Units,
    UnitsLine,
)
from .pipe import Pipe
from .ranking import Reason, reasons
from .records import Remembered, SkuState
from .replicas import Replica, replicas_of, why_unsafe
from .runner import Retries

__all__ = [
    "KEYS",
    "LINES_MAX",
    "MOVES_MAX",
    "UNITS_MAX",
    "Acknowledge",
    "AdjustLine",
    "Allocator",
    "CancelLine",
    "Changed",
    "Channel",
    "ChannelLocation",
    "Code",
    "Config",
    "ConfigChange",
    "Demand",
    "Disposition",
    "Expired",
    "Explained",
    "Extended",
    "Held",
    "Hold",
    "HoldRequest",
    "Id",
    "Level",
    "Line",
    "Location",
    "Moved",
    "Order",
    "OrderRequest",
    "Pipe",
    "Placed",
    "Reason",
    "Released",
    "Remembered",
    "Replica",
    "Rescued",
    "Retries",
    "ReturnLine",
    "Rule",
    "SellerKeys",
    "Served",
    "ShipLine",
    "ShipTo",
    "Sku",
    "SkuConfig",
    "SkuState",
    "StockLine",
    "Take",
    "Units",
    "UnitsLine",
    "Unsafe",
    "UnsafeServer",
    "census",
    "errors",
    "make_client",
    "reasons",
    "refuse_unsafe",
    "replicas_of",
    "unsafe_reasons",
    "why_unsafe",
]
