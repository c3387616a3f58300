"""Named cases that a walk does not come to: each gets a fresh little shop and leads into one corner of the Lua."""

from contextlib import suppress
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from allocator import Allocator, Config, Location, SellerKeys, SkuConfig, errors
from allocator.forgotten import FIRST
from allocator.model import AdjustLine, ArrivedLine, ReturnLine, SentLine, ShipLine, StockLine
from allocator.scripts import scripts
from tests.allocator import raw
from tests.allocator.attic import Attic
from tests.allocator.fixtures import (
    AMAZON,
    CONFIG,
    CUP,
    EPOCH,
    MUG,
    NOW,
    hold,
    lines,
    order,
    with_channel,
    with_inactive,
)
from tests.simulator.loop import drive
from tests.simulator.pipe import Network, SimulatedPipe
from tests.simulator.repair_cases import repairs
from tests.simulator.store import Store

BILLION = 1_000_000_000
TOO_MANY = 2_001


class Shop:
    """The little shop of tests/allocator/fixtures on the shim; refusals are expected and passed over."""

    def __init__(self, store: Store, config: Config = CONFIG) -> None:
        store.reset()
        self.store = store
        self.pipe = SimulatedPipe(Network(store))
        self.allocator = Allocator(self.pipe, "main", EPOCH)
        self.allocator.now_ms = NOW
        self.made = 0
        self.do(self.allocator.begin())
        self.do(self.allocator.configure_all(config))

    def do(self, work: Any) -> Any:
        with suppress(errors.Refusal, errors.Invalid, errors.NotReady, errors.StaleConfig, ResponseError):
            return drive(work)

    def call(self, verb: str, **values: str) -> Any:
        """The script itself: what it understands, with other values for some arguments."""
        self.made += 1
        values = {"op": f"raw-{self.made}", "config": "", **values}
        script = scripts()[verb]
        return self.do(self.pipe.run(script, SellerKeys("main").named(*script.keys), raw.changed(verb, **values)))

    def reconfigure(self, config: Config) -> None:
        self.do(self.allocator.configure_all(config))

    def write(self, key: str, field: str, value: bytes) -> None:
        self.store.command("HSET", f"{{main}}:{key}", field, value)

    def forget(self, key: str, field: str) -> None:
        self.store.command("HDEL", f"{{main}}:{key}", field)

    def receive(self, units: int, location: str = "oslo", sku: str = CUP) -> Any:
        self.made += 1
        return self.do(self.allocator.receive([StockLine(sku, location, units)], op=f"more-{self.made}"))


def the_wrong_data_set_or_config(shop: Shop) -> None:
    shop.call("receive", epoch="another")
    shop.call("receive", config="99")
    shop.call("begin", epoch="another")
    shop.call("configure", base="99")
    shop.call("configure", base=str(shop.allocator.version), version="1")


def names_nobody_knows(shop: Shop) -> None:
    shop.call("ship", order_id="shop:none")
    for verb in ("receive", "hold", "order", "explain", "return_units", "adjust", "count"):
        shop.call(verb, sku="none", order_id="", **{"line or sku": "none"})
    shop.call("receive", location="none")
    shop.call("order", kind="gone", candidates='["none",0]')
    shop.call("order", kind="gone", candidates="[]")
    shop.do(shop.allocator.availability([CUP], ["none"]))
    shop.do(shop.allocator.availability(["none"], ["shop"]))
    for verb in ("adjust", "count"):
        shop.call(verb, units="0")


def more_than_a_place_can_count(shop: Shop) -> None:
    for _ in range(10):
        shop.receive(BILLION)
    shop.receive(1)
    shop.do(shop.allocator.adjust([AdjustLine(CUP, "oslo", 1)], op="more", why="count"))
    shop.do(shop.allocator.count([AdjustLine(CUP, "oslo", 1)], op="more", source="erp"))
    back = [ReturnLine(sku=CUP, location="oslo", units=1, disposition="restock")]
    shop.do(shop.allocator.return_units(back, op="back"))
    shop.do(shop.allocator.set_quota(CUP, "oslo", "amazon", BILLION, op="all"))
    shop.do(shop.allocator.set_quota(CUP, "oslo", "shop", 10, op="ten"))
    shop.do(shop.allocator.move_quota(CUP, "oslo", "shop", "amazon", 1, op="move"))


def more_is_on_its_way_than_a_place_can_count(shop: Shop) -> None:
    for _ in range(11):
        shop.receive(BILLION)
        shop.call("transfer_out", units=str(BILLION))
    for _ in range(10):
        shop.receive(BILLION, "bergen")
    shop.call("transfer_in", at="bergen")


def units_on_their_way(shop: Shop) -> None:
    shop.receive(5)
    for transfer in ("first", "second"):
        shop.do(shop.allocator.transfer_out(transfer, "oslo", "rome", [SentLine(CUP, 2)]))
    for number, transfer in enumerate(("second", "second", "first", "none")):
        shop.do(shop.allocator.transfer_in(transfer, "rome", [ArrivedLine(CUP, 1, 1)], op=str(number)))
    shop.call("transfer_out", to="oslo")
    shop.call("transfer_out", to="none")
    shop.call("transfer_in", at="none")
    shop.call("transfer_in", arrived="0", lost="0")


def more_has_left_than_a_place_can_count(shop: Shop) -> None:
    for number in range(11):
        shop.do(shop.allocator.order(order(str(number), BILLION, channel="till")))
    shop.do(shop.allocator.count([AdjustLine(CUP, "bergen", -1)], op="fewer", source="erp"))


def more_rankings_than_are_kept(shop: Shop) -> None:
    for tie in range(TOO_MANY):
        shop.call("order", config="99", candidates=f'["oslo",{tie}]')


def more_terms_than_are_kept(shop: Shop) -> None:
    for ship_by in range(1, TOO_MANY + 1):
        days = {"oslo": [1, "2026-11-23", ship_by, 0]}
        shop.call("order", config="99", terms=raw.terms(p5=days))


def more_rules_than_are_kept(shop: Shop) -> None:
    for units in range(TOO_MANY):
        sheet = msgspec.msgpack.encode(["", {"": units}, {}, {}, {}])
        shop.do(shop.allocator.availability([CUP], ["shop"], overlay={f"sku:{CUP}": sheet, "rules": b""}))


def more_places_than_are_searched_one_by_one(shop: Shop) -> None:
    places = [Location(code=f"place-{number}") for number in range(20)]
    shop.reconfigure(msgspec.structs.replace(CONFIG, locations=[*CONFIG.locations, *places]))
    for place in places * 2:
        shop.receive(1, place.code)
    shop.do(shop.allocator.receive([StockLine(CUP, place.code, 1) for place in (*places, *CONFIG.locations)], op="all"))


def units_that_nobody_may_sell_come_back(shop: Shop) -> None:
    shop.receive(5)
    some = [StockLine(CUP, "oslo", 2)]
    for direction in ("in", "out", "out"):
        shop.do(shop.allocator.unavailable(some, op=direction, reason="wet", direction=direction))
        shop.do(shop.allocator.unavailable(some, op=f"{direction} too", reason="lost", direction=direction))


def not_found_beside_units_that_nobody_may_sell(shop: Shop) -> None:
    shop.receive(5)
    shop.do(shop.allocator.unavailable([StockLine(CUP, "oslo", 2)], op="wet", reason="wet", direction="in"))
    shop.do(shop.allocator.order(order("o", 1)))
    shop.do(shop.allocator.reject("shop", "o", "oslo", op="not there", reason="not_found"))


def a_state_that_cannot_be_read(shop: Shop) -> None:
    shop.write("stock", CUP, b"\x91\x01")
    shop.receive(1)


def candidates_that_may_not_serve(shop: Shop) -> None:
    shop.receive(5)
    shop.call("order", channel="amazon", candidates='["bergen",0,"oslo",0]')
    shop.reconfigure(with_inactive("rome"))
    shop.call("order", candidates='["rome",0,"oslo",0]', external_id="other")


def a_firm_order_for_more_than_all_places_have(shop: Shop) -> None:
    for place in ("oslo", "rome"):
        shop.receive(1, place)
    shop.do(shop.allocator.order(order("large", 50, ("TEE-M", 3), channel="amazon")))


def a_partial_order_whose_candidates_have_less_than_all_places(shop: Shop) -> None:
    shop.receive(1, "oslo")
    shop.receive(5, "rome")
    shop.call("order", partial="1", units="2", candidates='["oslo",0]')


def an_owner_asks_beside_his_own_hold(shop: Shop) -> None:
    shop.receive(5)
    shop.do(shop.allocator.hold(hold("mine", 3, owner="ann")))
    shop.do(shop.allocator.availability([CUP], ["shop", "amazon"], owner="ann"))
    shop.do(shop.allocator.explain(CUP, "shop", owner="ann"))


def answers_that_were_forgotten(shop: Shop) -> None:
    shop.receive(9)
    shop.do(shop.allocator.hold(hold("h", 1)))
    shop.forget("ops", "hold:h")
    shop.do(shop.allocator.hold(hold("h", 1)))
    shop.do(shop.allocator.order(order("o", 1)))
    shop.forget("ops", "order:shop:o:1")
    shop.do(shop.allocator.order(order("o", 1, attempt=2)))
    shop.do(shop.allocator.order(order("o", 2, attempt=2)))


def records_that_left_for_sql(shop: Shop) -> None:
    attic = Attic(shop.pipe.client)
    allocator = Allocator(shop.pipe, "main", EPOCH, history=attic)
    allocator.now_ms = NOW
    drive(allocator.reload())
    shop.receive(9)

    def everything(attempt: int) -> None:
        shop.do(allocator.hold(hold("h", 1)))
        shop.do(allocator.release("h"))
        shop.do(allocator.extend("h", 1, op="later"))
        shop.do(allocator.order(order("o", 1, attempt=attempt)))
        shop.do(allocator.ship("shop", "o", op="parcel"))
        shop.do(allocator.pick("shop", "o", op=f"pick-{attempt}"))
        shop.do(allocator.order(order(f"with-{attempt}", 1, hold="h")))
        shop.do(allocator.find_order("shop", "o"))

    for attempt in (1, 2, 3):
        everything(attempt)
        drive(attic.clear_out(allocator))
        if attempt == 2:
            # As if a level of the filter were full.
            shop.store.command("HSET", "{main}:seller", "forgotten", FIRST)
            attic.kept.clear()


def holds_too_large_to_expire_together(shop: Shop) -> None:
    skus = [SkuConfig(sku=f"sku-{number}") for number in range(1_600)]
    shop.reconfigure(msgspec.structs.replace(CONFIG, skus=skus))
    for start in range(0, 1_600, 400):
        rows = [StockLine(sku.sku, "oslo", 1) for sku in skus[start : start + 400]]
        shop.do(shop.allocator.receive(rows, op=f"from {start}"))
    for name, some in (("first", skus[:800]), ("second", skus[800:])):
        wanted = lines(*((sku.sku, 1) for sku in some))
        shop.do(shop.allocator.hold(msgspec.structs.replace(hold(name, 1), lines=wanted)))
    shop.do(shop.allocator.expire(elapsed_ms=0))
    shop.allocator.now_ms = NOW + 61_000
    shop.do(shop.allocator.expire(elapsed_ms=61_000))


def a_backorder_of_a_channel_that_is_gone(shop: Shop) -> None:
    shop.do(shop.allocator.order(order("late", 2, channel="amazon")))
    without = [channel for channel in CONFIG.channels if channel is not AMAZON]
    shop.reconfigure(msgspec.structs.replace(CONFIG, channels=without))
    shop.receive(5)
    shop.do(shop.allocator.serve(sweep=True))


def more_is_shipped_than_lies_there(shop: Shop) -> None:
    shop.receive(5)
    shop.do(shop.allocator.order(order("o", 2)))
    shop.do(shop.allocator.ship("shop", "o", [ShipLine("1", "oslo", 3)], op="ship"))


def a_channel_without_its_own_units_draws_in_several_passes(shop: Shop) -> None:
    shop.reconfigure(with_channel(CONFIG, "amazon", overflow="none"))
    shop.receive(3)
    shop.do(shop.allocator.set_quota(CUP, "oslo", "shop", 2, op="fence"))
    shop.do(shop.allocator.order(order("o", 9, channel="amazon")))


def skus_that_are_closed(shop: Shop) -> None:
    for sku in (CUP, MUG):
        shop.receive(9, sku=sku)
    shop.do(shop.allocator.hold(hold("h", 2, owner="ann", ttl_ms=1)))
    shop.do(shop.allocator.order(order("o", 12, channel="amazon")))
    shop.call("meet")
    for sku in (CUP, "CU", "CUPS", "Z"):
        shop.call("availability", sku=sku)
    shop.call("receive")
    shop.call("open", upto="CU", skus="2", sku=MUG)
    shop.call("open", upto=CUP, sku=MUG)
    shop.call("availability", sku="CUPS")
    shop.call("freeze")
    shop.call("freeze", evidence="")
    shop.call("freeze", seen="other")
    shop.call("freeze")
    shop.call("availability", sku=MUG, owner="ann")
    shop.call("expire", elapsed_ms="", now_ms=str(NOW + 9))
    shop.call("expire", now_ms=str(NOW + 9))
    shop.call("serve", sweep="1")
    shop.call("meet", run="run-2")
    shop.call("open")
    shop.call("open", run="run-2", last="1")
    shop.call("freeze", evidence="")
    shop.call("freeze")
    shop.call("freeze", sku=MUG)
    shop.call("freeze", evidence="")
    shop.call("receive")


def a_gate_that_is_shut(shop: Shop) -> None:
    shop.call("shut")
    shop.call("receive")
    shop.call("meet", run="run-2")
    shop.call("shut", why="")
    for verb in ("meet", "open", "shut", "freeze"):
        shop.call(verb, epoch="another")
        shop.call(verb, sku="\n", run="", last="2")


CASES = (
    *(skus_that_are_closed, a_gate_that_is_shut, repairs),
    *(the_wrong_data_set_or_config, names_nobody_knows, more_than_a_place_can_count),
    *(more_is_on_its_way_than_a_place_can_count, units_on_their_way),
    *(
        more_has_left_than_a_place_can_count,
        more_rankings_than_are_kept,
        more_rules_than_are_kept,
        more_terms_than_are_kept,
    ),
    *(more_places_than_are_searched_one_by_one, units_that_nobody_may_sell_come_back, a_state_that_cannot_be_read),
    *(candidates_that_may_not_serve, a_firm_order_for_more_than_all_places_have, an_owner_asks_beside_his_own_hold),
    *(
        answers_that_were_forgotten,
        records_that_left_for_sql,
        holds_too_large_to_expire_together,
        a_backorder_of_a_channel_that_is_gone,
    ),
    *(a_partial_order_whose_candidates_have_less_than_all_places,),
    *(more_is_shipped_than_lies_there, a_channel_without_its_own_units_draws_in_several_passes),
)


def run_hard_cases(store: Store) -> None:
    for case in CASES:
        case(Shop(store))
