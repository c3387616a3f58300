"""Tills: our own contract."""

from .connector import Pos
from .words import PosSecrets, PosSettings, TillEvent, TillEvents, TillLine, TillNews

__all__ = ["Pos", "PosSecrets", "PosSettings", "TillEvent", "TillEvents", "TillLine", "TillNews"]
