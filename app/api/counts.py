"""Counts: what an ERP, a warehouse system or a stocktaker says lies on a shelf, and what became of it."""

from contextlib import suppress

import msgspec
from fastapi import Request, Response

from allocator.errors import AllocatorError, OpConflict
from app.audit import by
from app.counts import taking
from app.counts.forms import (
    LINES_MAX,
    CloseAsked,
    Count,
    CountAsked,
    CountDone,
    CountLinePage,
    CountLinesQuery,
    CountMade,
    CountPage,
    CountPath,
    CountsQuery,
    PartAsked,
    PartPath,
    SettleAsked,
    SnapshotAsked,
    shown_count,
    shown_line,
)
from app.counts.service import REQUEST_CHUNKS, desk_of
from app.deps import caller_of, op_key, state_of
from app.edge import Body, Path, Query, answer
from app.errors import CountStands, CountUnknown, SecondPerson
from app.guarding import guarded_router
from app.history import Whole, cut, read_cursor_of
from app.openapi import documented
from app.store.counts import WantedCounts, WantedLines, find_count, list_counts, list_lines, tally_of

router = guarded_router("/v1/counts", "counts")

COUNT = Body(CountAsked)
SNAPSHOT = Body(SnapshotAsked)
PART = Body(PartAsked)
CLOSE = Body(CloseAsked)
SETTLE = Body(SettleAsked)
ID = Path(CountPath)
PART_ID = Path(PartPath)
COUNTS = Query(CountsQuery)
LINES = Query(CountLinesQuery)

_count_key = msgspec.json.Decoder(tuple[Whole, str]).decode
_line_key = msgspec.json.Decoder(tuple[Whole]).decode


@router.post("", **documented(COUNT, scope="counts:write", answers=CountDone, op_key=True, stops="growth"))
async def take_count(request: Request) -> Response:
    """
    Say what lies at up to 1,000 places. Each line is applied, unchanged, ignored as older, in review or refused.

    A line that is still `waiting` or `applying` is finished within seconds by itself.
    """
    op, asked = op_key(request), await COUNT(request)
    async with state_of(request).database.writing() as session:
        replayed = await taking.take(session, by(request), op, asked)
    await _work_on(request, op)
    async with state_of(request).database.reading() as session:
        lines = await list_lines(session, caller_of(request).seller, op, WantedLines(), LINES_MAX)
    count = await _shown(request, op)
    return answer(CountDone(count=count, results=[shown_line(line) for line in lines], replayed=replayed))


@router.post("/snapshots", **documented(SNAPSHOT, scope="counts:write", answers=CountMade, op_key=True))
async def begin_snapshot(request: Request) -> Response:
    """Begin a count of any size: send its parts, then close it. It is held against the brakes first."""
    op, asked = op_key(request), await SNAPSHOT(request)
    async with state_of(request).database.writing() as session:
        replayed = await taking.begin(session, by(request), op, asked)
    return await _made(request, op, replayed=replayed)


@router.put(
    "/{count_id}/parts/{part}",
    **documented(
        PART_ID, PART, scope="counts:write", answers=CountMade, refuses=(CountUnknown, CountStands, OpConflict)
    ),
)
async def put_count_part(request: Request) -> Response:
    """Add up to 1,000 lines to a snapshot. The same part again changes nothing; parts may come in any order."""
    asked, path = await PART(request), PART_ID(request)
    async with state_of(request).database.writing() as session:
        replayed = await taking.add(session, by(request), path.count_id, int(path.part), asked.lines)
    return await _made(request, path.count_id, replayed=replayed)


@router.post(
    "/{count_id}/close",
    **documented(ID, CLOSE, scope="counts:write", answers=CountMade, refuses=(CountUnknown, CountStands)),
)
async def close_snapshot(request: Request) -> Response:
    """Say that all parts are there. The snapshot is decided in the background; GET it to see how far it is."""
    id, asked = ID(request).count_id, await CLOSE(request)
    async with state_of(request).database.writing() as session:
        replayed = await taking.close(session, by(request), id, asked.parts)
    return await _made(request, id, replayed=replayed)


@router.post(
    "/{count_id}/release",
    **documented(ID, scope="counts:release", answers=Count, refuses=(CountUnknown, CountStands, SecondPerson)),
)
async def release_count(request: Request) -> Response:
    """Let a parked snapshot have its effect; never by the key that sent it."""
    id = ID(request).count_id
    async with state_of(request).database.writing() as session:
        await taking.release(session, by(request), id)
    return await _settled(request, "count.release", id)


@router.post(
    "/{count_id}/discard",
    **documented(ID, scope="counts:release", answers=Count, refuses=(CountUnknown, CountStands)),
)
async def discard_count(request: Request) -> Response:
    """End a snapshot that has had no effect yet."""
    id = ID(request).count_id
    async with state_of(request).database.writing() as session:
        await taking.discard(session, by(request), id)
    return await _settled(request, "count.discard", id)


@router.post(
    "/{count_id}/settle",
    **documented(ID, SETTLE, scope="counts:release", answers=Count, refuses=(CountUnknown,)),
)
async def settle_count(request: Request) -> Response:
    """Apply or discard lines in review. A line without a time counts as of the moment at which it came."""
    id, asked = ID(request).count_id, await SETTLE(request)
    async with state_of(request).database.writing() as session:
        settled = await taking.settle(session, by(request), id, asked.lines, asked.action)
    if settled and asked.action == "apply":
        await _work_on(request, id)
    return await _settled(request, f"count.{asked.action}", id, lines=asked.lines[:20], settled=settled)


@router.get("", **documented(COUNTS, scope="stock:read", answers=CountPage))
async def list_all_counts(request: Request) -> Response:
    """Counts by source and state, newest first."""
    seller, asked = caller_of(request).seller, COUNTS(request)
    wanted = WantedCounts(source=asked.source, state=asked.state, before=read_cursor_of(asked.cursor, _count_key))
    async with state_of(request).database.reading() as session:
        found = await list_counts(session, seller, wanted, asked.limit + 1)
        page, more = cut(found, asked.limit, lambda count: (count.made_ms, count.id))
        data = [shown_count(count, await tally_of(session, count)) for count in page]
    return answer(CountPage(data, more))


@router.get("/{count_id}", **documented(ID, scope="stock:read", answers=Count, refuses=(CountUnknown,)))
async def get_count(request: Request) -> Response:
    """How a count stands: its state, how many of its lines are in which, and what a snapshot would do."""
    return answer(await _shown(request, ID(request).count_id))


@router.get(
    "/{count_id}/lines", **documented(ID, LINES, scope="stock:read", answers=CountLinePage, refuses=(CountUnknown,))
)
async def list_count_lines(request: Request) -> Response:
    """The lines of a count and what became of each, in the order in which they were sent."""
    caller, id, asked = caller_of(request), ID(request).count_id, LINES(request)
    [after] = read_cursor_of(asked.cursor, _line_key) or (0,)
    wanted = WantedLines(state=asked.state, locations=caller.locations, after=after)
    await _shown(request, id)
    async with state_of(request).database.reading() as session:
        found = await list_lines(session, caller.seller, id, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, lambda line: (line.number,))
    return answer(CountLinePage([shown_line(line) for line in page], more))


async def _work_on(request: Request, id: str) -> None:
    """Take the count as far as it goes now; it is in SQL, so what cannot be done now is done by the schedule."""
    state, caller = state_of(request), caller_of(request)
    with suppress(AllocatorError):
        await desk_of(state, caller.allocator).finish(id, REQUEST_CHUNKS)


async def _shown(request: Request, id: str) -> Count:
    """The count as it stands. Raises CountUnknown."""
    seller = caller_of(request).seller
    async with state_of(request).database.reading() as session:
        count = await find_count(session, seller, id)
        if count is None:
            raise CountUnknown(f"there is no count {id}")
        return shown_count(count, await tally_of(session, count))


async def _made(request: Request, id: str, *, replayed: bool) -> Response:
    return answer(CountMade(count=await _shown(request, id), replayed=replayed))


async def _settled(request: Request, action: str, id: str, **detail: object) -> Response:
    state_of(request).audit.act(request, action, f"count {id}", detail)
    return answer(await _shown(request, id))
