"""
Bugs to be found, each as it is easily made: a line forgotten, a condition turned, a step in the wrong place.

A simulator that finds none of its own bugs proves nothing. `first` is a seed near which a bug is known to show; worlds
know nothing of any of them.
"""

from typing import NamedTuple

from .patches import Patch

LUA, SHARED, WORLDS = "allocator/lua", "allocator/lua/shared", "tests/simulator/worlds"


class Bug(NamedTuple):
    """What it is called, and how it gets into the code."""

    name: str
    patch: Patch


BUGS = (
    # --- the gate ---
    Bug(
        "an op is not looked up",
        Patch(f"{SHARED}/gate.lua", "  if not before then\n    return nil", "  if true then\n    return nil"),
    ),
    Bug(
        "the fingerprint is not compared",
        Patch(f"{SHARED}/gate.lua", "if before:sub(14, 29) ~= head.fingerprint then", "if false then"),
    ),
    Bug(
        "a refusal is not remembered",
        Patch(f"{SHARED}/gate.lua", "  if head.op and not head.preview then", "  if false then"),
    ),
    Bug(
        "a replay writes nothing",
        Patch(f"{SHARED}/gate.lua", "  redis.call('HINCRBY', keys.seller, 'replays', 1)\n", ""),
    ),
    Bug(
        "the epoch is not compared",
        Patch(
            f"{SHARED}/gate.lua",
            "  if seller[1] ~= head.epoch then\n    return not_ready(seller[1], '')",
            "  if false then\n    return not_ready(seller[1], '')",
        ),
    ),
    Bug(
        "the config's version is not compared",
        Patch(f"{SHARED}/gate.lua", "if head.config ~= '' and (seller[2] or '0') ~= head.config then", "if false then"),
    ),
    Bug(
        "time goes backwards",
        Patch(f"{SHARED}/gate.lua", "head.now = math.max(head.clock, head.time)", "head.now = head.time"),
    ),
    # --- state and ledger ---
    Bug(
        "a version is not raised",
        Patch(f"{SHARED}/stock.lua", "state.flat[1] = state.flat[1] + 1", "state.flat[1] = state.flat[1]"),
    ),
    Bug(
        "a deficit is not recorded",
        Patch(f"{SHARED}/stock.lua", "    stock.move(state, flat[at], 'deficit', gap - deficit)\n", ""),
    ),
    Bug(
        "a ledger entry is without its changes",
        Patch(f"{SHARED}/write.lua", "{ sku, version, state.moves }", "{ sku, version, {} }"),
    ),
    Bug(
        "a move is not noted",
        Patch(
            f"{SHARED}/stock.lua",
            "  note(state, code, bucket, of or '', units)\nend",
            "  if bucket ~= 'spent' then note(state, code, bucket, of or '', units) end\nend",
        ),
    ),
    Bug(
        "the answer of an effect is not remembered",
        Patch(f"{SHARED}/write.lua", "    gate.remember(head, word, answer)\n", ""),
    ),
    Bug(
        "a count stops at an empty shelf",
        Patch(
            f"{SHARED}/places.lua",
            "line.location, 'on_hand', line.units)",
            "line.location, 'on_hand', math.max(line.units, -on_hand))",
        ),
    ),
    Bug(
        "a count may not fall below what is promised",
        Patch(f"{LUA}/count.lua", "'count', why, true)", "'count', why)"),
    ),
    Bug(
        "more is drawn than is there",
        Patch(f"{SHARED}/drawing.lua", "local units = math.min(available_units, wanted)", "local units = wanted"),
    ),
    Bug(
        "what is owed is sold again",
        Patch(f"{SHARED}/atp.lua", "  local pool = open - owed", "  local pool = open"),
    ),
    Bug(
        "the buffer is sold",
        Patch(f"{SHARED}/atp.lua", "  local after = pool - buffer", "  local after = pool"),
    ),
    Bug(
        "cancelled units stay committed",
        Patch(
            f"{SHARED}/cancelling.lua",
            "local given = takes.give_back(state, take, 'committed', units)",
            "local given = math.min(take.units, units)\n      take.units = take.units - given",
        ),
    ),
    Bug(
        "units in a tote are free when they are cancelled",
        Patch(
            f"{SHARED}/cancelling.lua",
            "      stock.move(state, take.location, 'unavailable', picking * given, cancelling.PUT_AWAY)\n",
            "",
        ),
    ),
    Bug(
        "an edit takes anew what it does not give back",
        Patch(f"{LUA}/edit.lua", "      cancelling.give_back(line, committed, 0)\n", ""),
    ),
    Bug(
        "more units of a line are not ordered",
        Patch(
            f"{LUA}/edit.lua",
            "want.found.asked, want.found.ordered = want.more, want.found.ordered + want.more",
            "want.found.asked = want.more",
        ),
    ),
    Bug(
        "an edited firm order goes back to where it was rejected",
        Patch(
            f"{LUA}/edit.lua",
            "firm.take(order.lines, needs, candidates, view, 'committed', false, bounds)",
            "firm.take(order.lines, needs, candidates, view, 'committed', false)",
        ),
    ),
    Bug(
        "an edited firm order owes nothing for what it did not get",
        Patch(f"{LUA}/edit.lua", "      stock.owe(stock.skus[line.sku], 'backordered', line.left)\n", ""),
    ),
    Bug(
        "an exchange forgets the order that goods came back for",
        Patch(f"{LUA}/exchange.lua", "{ orders.write(old, old_packed), orders.write", "{ orders.write"),
    ),
    Bug(
        "units of a hold count twice when an order takes it over",
        Patch(f"{SHARED}/take_over.lua", "      stock.move(state, take.location, 'held', -units)\n", ""),
    ),
    Bug(
        "a quota does not get back what it lent",
        Patch(f"{SHARED}/takes.lua", "stock.move(state, take.location, 'consumed', -back, part[3])", "local _ = back"),
    ),
    Bug(
        "shipped units of a quota are not spent",
        Patch(
            f"{SHARED}/shipping.lua", "stock.move(state, take.location, 'spent', part[2], part[3])", "local _ = part"
        ),
    ),
    Bug(
        "more comes back than was shipped",
        Patch(
            f"{SHARED}/returning.lua",
            "if line.units > sold.shipped - sold.returned then",
            "if line.units > sold.shipped then",
        ),
    ),
    # --- returns that are announced ---
    Bug(
        "goods that came are expected still",
        Patch(f"{SHARED}/announcing.lua", "line.arrived = line.arrived + came.units", "line.arrived = line.arrived"),
    ),
    Bug(
        "a late announcement counts",
        Patch(f"{SHARED}/announcing.lua", "if before and said.revision <= before.revision then", "if false then"),
    ),
    Bug(
        "more is announced than can come back",
        Patch(
            f"{SHARED}/announcing.lua",
            "line.shipped - line.returned\n    if units > left",
            "line.shipped\n    if units > left",
        ),
    ),
    Bug(
        "what can come no more is expected still",
        Patch(
            f"{SHARED}/announcing.lua",
            "line.arrived, units = line.arrived + some, units - some",
            "units = units - some",
        ),
    ),
    Bug(
        "an order that changes loses its announced returns",
        Patch(f"{SHARED}/orders.lua", "announced = row[13] and unpack_announced(row[13]) }", "announced = nil }"),
    ),
    Bug(
        "SQL is not told of announced returns",
        Patch("app/draining/rows.py", "            announced += self._announced(record)\n", ""),
    ),
    # --- orders whose payment is pending ---
    Bug(
        "an order that was accepted can be pending once more",
        Patch(f"{SHARED}/pending.lua", "if redis.call('HEXISTS', keys.orders, order_id) == 1 then", "if false then"),
    ),
    Bug(
        "a payment takes over what was held for its own attempt alone",
        Patch(
            f"{SHARED}/take_over.lua",
            "local waited = pending_id ~= '' and pending.open_id(order.channel, pending_id) or pending_id",
            "local waited = pending_id",
        ),
    ),
    Bug(
        "a pending order that is cancelled keeps its units",
        Patch(f"{SHARED}/pending.lua", "  holds.end_in_memory(hold, 'released')\n", "  hold.state = 'released'\n"),
    ),
    Bug(
        "an order that is not paid claims what others may have",
        Patch(f"{LUA}/hold.lua", "if claims == 'promise' then", "if claims ~= 'firm' then"),
    ),
    # --- transfers ---
    Bug(
        "units that were sent are on the shelf still",
        Patch(f"{LUA}/transfer_out.lua", "  stock.move(state, from, 'on_hand', -line.units)\n", ""),
    ),
    Bug(
        "units that were promised are sent",
        Patch(
            f"{LUA}/transfer_out.lua",
            "math.max(0, stock.look(state, from) or 0)",
            "math.max(0, stock.on_hand(state, from))",
        ),
    ),
    Bug(
        "a place that units are only on their way to is forgotten",
        Patch(
            "allocator/balances.py",
            "bool(units or place.reasons or place.quotas or place.transit)",
            "bool(units or place.reasons or place.quotas)",
        ),
    ),
    # --- holds and backorders ---
    Bug(
        "a hold expires before its time",
        Patch(
            f"{LUA}/expire.lua",
            "'-inf', string.format('%.0f', head.now)",
            "'-inf', string.format('%.0f', head.now + 1000)",
        ),
    ),
    Bug(
        "a hold that ended has a deadline",
        Patch(f"{SHARED}/holds.lua", "packed)\n  redis.call('ZREM', keys.deadlines, hold.id)\n", "packed)\n"),
    ),
    Bug(
        "an owner still has a hold that ended",
        Patch(f"{SHARED}/holds.lua", "    redis.call('HDEL', keys.owners, holds.owner_field(hold))\n", ""),
    ),
    Bug(
        "a longer life is not in the index",
        Patch(
            f"{LUA}/extend.lua",
            "redis.call('ZADD', keys.deadlines, string.format('%.0f', hold.deadline_ms), hold_id)\n",
            "",
        ),
    ),
    Bug(
        "the hold that was replaced keeps its units",
        Patch(f"{LUA}/hold.lua", "  holds.end_in_memory(old, 'replaced')", "  old.state = 'replaced'"),
    ),
    Bug(
        "a line that was served waits on",
        Patch(
            f"{SHARED}/orders.lua",
            "      redis.call('ZREM', keys.waiting, waiting_member(order, line))",
            "      local _ = line",
        ),
    ),
    Bug(
        "units that arrived serve nobody",
        Patch(
            f"{SHARED}/write.lua",
            "    redis.call('SADD', keys.servable, unpack(sealed.servable))",
            "    local _ = sealed",
        ),
    ),
    Bug(
        "a field that is gone from the config stays",
        Patch(f"{LUA}/configure.lua", "  redis.call('HDEL', keys.config, unpack(removed))", "  local _ = removed"),
    ),
    # --- orders that lose their location ---
    Bug(
        "rejected units stay committed",
        Patch(
            f"{SHARED}/leaving.lua",
            "left = left - takes.give_back(stock.skus[line.sku], take, 'committed', left)",
            "local given = math.min(take.units, left)\n        take.units, left = take.units - given, left - given",
        ),
    ),
    Bug(
        "a rejected order is sent back to where it was rejected",
        Patch(f"{SHARED}/orders.lua", "    without[location] = true\n", "    without[location] = nil\n"),
    ),
    Bug(
        "units in conflict are not owed",
        Patch(f"{SHARED}/leaving.lua", "    stock.owe(stock.skus[line.sku], 'conflict', left)\n", ""),
    ),
    Bug(
        "who loses gets units that others wait for",
        Patch(f"{SHARED}/leaving.lua", "'committed', false, orders", "'committed', true, orders"),
    ),
    Bug(
        "more is taken from who loses than is missing",
        Patch(f"{LUA}/rescue.lua", "  units = math.min(units, deficit())\n", ""),
    ),
    Bug(
        "what somebody has to decide is served by itself",
        Patch(f"{SHARED}/orders.lua", "(order.desk == 1 and 0 or line.conflict)", "line.conflict"),
    ),
    Bug(
        "a pick that has started is moved",
        Patch(
            f"{LUA}/move.lua",
            "  return takes.units_at(line.takes, from) - takes.picking_at(line.takes, from)",
            "  return takes.units_at(line.takes, from)",
        ),
    ),
    # --- callers ---
    Bug(
        "a retry is another op",
        Patch(
            "allocator/runner.py",
            "                with attempt:\n",
            "                with attempt:\n                    arguments[3] = 'another'\n",
        ),
    ),
    Bug(
        "another call's answer is believed",
        Patch("allocator/runner.py", "if echo and echo.decode() != arguments[OP_AT]:", "if False:"),
    ),
    Bug(
        "a server that is busy has refused",
        Patch(
            "allocator/runner.py",
            "                raise RedisConnectionError(str(error)) from error",
            "                raise errors.Refusal from error",
        ),
    ),
    # --- after a restart ---
    Bug(
        "a server that was started anew is believed",
        Patch(f"{LUA}/meet.lua", "if redis.call('HGET', keys.seller, 'run') ~= run then", "if false then"),
    ),
    Bug(
        "a closed sku is sold",
        Patch(f"{SHARED}/stock.lua", "local closed = gate.mode and gate.closed(missing)[1]", "local closed"),
    ),
    Bug(
        "nobody looks whether the store has lost entries",
        Patch("app/recovery/verifying.py", "why = await check.find_loss() or await", "why = await"),
    ),
    Bug(
        "a store is compared before SQL has all of its ledger",
        Patch("app/recovery/verifying.py", " or await check.drain_rest(self._drain)", ""),
    ),
    Bug(
        "a check freezes what another has opened",
        Patch(f"{SHARED}/gate.lua", "  return found[1] == 'checking' and found[2] == run and", "  return true or"),
    ),
    Bug(
        "an answer leaves before it is on the disk",
        Patch(f"{WORLDS}/server.py", "        self.fsync()\n        return replies", "        return replies"),
    ),
    # --- the drain ---
    Bug(
        "what is not in SQL is trimmed",
        Patch(
            "app/draining/drain.py",
            "self._trim_before(name, min(drained, by_age))",
            "self._trim_before(name, by_age)",
        ),
    ),
    Bug(
        "the last entry that was drained is trimmed",
        Patch("app/draining/drain.py", 'minid=f"{until[0]}-{until[1]}"', 'minid=f"{until[0]}-{until[1] + 1}"'),
    ),
    Bug(
        "the cursor moves in a transaction of its own",
        Patch(
            "app/draining/drain.py",
            "            new = await",
            "        async with self._database.writing() as session:\n            new = await",
        ),
    ),
    Bug(
        "the drain passes over an entry",
        Patch(
            "allocator/ledger.py",
            "return [_row(entry) for entry in found[1:]]",
            "return [_row(entry) for entry in found[2:]]",
        ),
    ),
    Bug(
        "answers are not drained",
        Patch("app/draining/drain.py", "    await store.put_answers(session, group.answers())\n", ""),
    ),
    Bug(
        "takes of an order that changed stay in SQL",
        Patch(
            "app/store/ledger.py",
            "for gone in _GONE:",
            "for gone in _GONE[1:]:",
        ),
    ),
    Bug(
        "fields that are gone from the config stay in SQL",
        Patch("app/store/ledger.py", "    for part in _parts(removed):\n", "    for part in _parts(removed[:0]):\n"),
    ),
    Bug(
        "a group begins with states of the one before the last",
        Patch(
            "app/draining/drain.py",
            "return {sku: decode_state(state) for sku, state in found.items()}",
            "return {sku: decode_state(state) for sku, state in list(found.items())[1:]}",
        ),
    ),
    Bug(
        "a place without anything keeps its turn",
        Patch("allocator/balances.py", "        if not _tidy(place):", "        if not _tidy(place) and not touched:"),
    ),
    Bug(
        "only the first arrival of a transfer counts",
        Patch(
            "app/draining/drain.py",
            "add_up(await transfers.steps_of(session, seller, ids))",
            "add_up((await transfers.steps_of(session, seller, ids))[:2])",
        ),
    ),
    # --- days ---
    Bug(
        "a place of a day is not given back",
        Patch(f"{SHARED}/orders.lua", "    give_slots(order.id, order.given)\n", ""),
    ),
    Bug(
        "one order more is promised than can leave on a day",
        Patch(f"{SHARED}/terms.lua", "'\\1') < places", "'\\1') <= places"),
    ),
    Bug(
        "what is shipped gives its place of the day back",
        Patch(f"{LUA}/ship.lua", "  orders.has_left(order, take.location)\n", ""),
    ),
    Bug(
        "an order that waits is picked though it leaves all at once",
        Patch(f"{LUA}/pick.lua", "refused = refused or changes.refuse_incomplete(head, order)\n", ""),
    ),
    Bug(
        "a count does not close what is to be counted",
        Patch("allocator/recounts.py", 'if entry.verb != "count":', 'if entry.verb != "receive":'),
    ),
    Bug(
        "what a location rejected counts as taken from it",
        Patch(
            "allocator/recounts.py", "            rejected[location] -= units", "            taken[location] -= units"
        ),
    ),
    # --- the rebuild ---
    Bug(
        "a rebuild forgets places of days",
        Patch("allocator/rebuilding.py", "        if slots:\n", "        if False:\n"),
    ),
    Bug(
        "a rebuild keeps the epoch",
        Patch("app/store/datasets.py", "max(before.generation + 1, at_least)", "max(before.generation, at_least)"),
    ),
    Bug(
        "a rebuild forgets holds",
        Patch("allocator/rebuilding.py", '        await self._put("holds", records)\n', ""),
    ),
    Bug(
        "a rebuild forgets owners",
        Patch("allocator/rebuilding.py", '        await self._put("owners", owners)\n', ""),
    ),
    Bug(
        "a rebuild forgets who waits",
        Patch("allocator/rebuilding.py", "        if waiting:\n", "        if False:\n"),
    ),
    Bug(
        "a rebuild forgets answers",
        Patch(
            "allocator/rebuilding.py",
            '        await self._put("ops", answers)\n',
            '        await self._put("ops", {})\n',
        ),
    ),
    Bug(
        "a rebuild leaves the drain where it was",
        Patch("app/store/cursors.py", "dialect(session), anew=True", "dialect(session), anew=False"),
    ),
    Bug(
        "a rebuild adds to what is there",
        Patch("allocator/rebuilding.py", "        await self._client.unlink(*self._all)\n", "        pass\n"),
    ),
)
