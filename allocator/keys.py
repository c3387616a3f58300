"""
Every key of the data model, spelled once.

A seller's whole state is thirteen keys under one hash tag, so that every script finds all it may touch among
its KEYS and a cluster keeps a seller on one node. What belongs to one sku, hold, order or op is a field of a
hash, not a key of its own: nothing is ever computed inside Lua.
"""

from typing import NamedTuple

import msgspec


class Key(NamedTuple):
    """One key of a seller: its type in Valkey and what it holds."""

    type: str
    meaning: str


KEYS: dict[str, Key] = {
    "seller": Key("hash", "epoch, config (version in force), clock, the state of expiry, how much is forgotten"),
    "config": Key("hash", "compiled config: document, locations, ranks, rules, channel:<c>, category:<c>, sku:<s>"),
    "stock": Key("hash", "sku -> packed state"),
    "ops": Key("hash", "op -> packed time, fingerprint and answer"),
    "ledger": Key("stream", "one entry per effect"),
    "holds": Key("hash", "hold id -> packed hold"),
    "owners": Key("hash", "channel:owner -> id of the owner's open hold"),
    "deadlines": Key("zset", "open hold id -> deadline_ms"),
    "orders": Key("hash", "channel:external id -> packed order"),
    "waiting": Key("zset", "lines that wait for units by sku, rank of the channel, age"),
    "slots": Key("zset", "places that orders have on a location's days, by day and location"),
    "forgotten": Key("string", "filter of the ops, holds and orders that have left for SQL"),
    "servable": Key("set", "skus that owe units and have got some since"),
}


class SellerKeys(msgspec.Struct, frozen=True):
    """The names of one seller's keys, by the words of `KEYS`."""

    seller: str

    def named(self, *words: str) -> list[str]:
        """The keys behind these words, in this order, for a script's KEYS."""
        return [f"{{{self.seller}}}:{word}" for word in words]

    def all(self) -> list[str]:
        """Every key the seller has."""
        return self.named(*KEYS)
