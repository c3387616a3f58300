"""The seller a key belongs to. Others are made on the command line: no key sees more than one."""

from fastapi import Request, Response

from app.audit import by, note
from app.deps import caller_of, state_of
from app.edge import Body, answer
from app.guarding import guarded_router
from app.key_forms import SellerAsked, SellerShown
from app.openapi import documented
from app.store.audit import add_entries
from app.store.sellers import rename_seller

router = guarded_router("/v1/seller", "seller")

NAME = Body(SellerAsked)


@router.put("", **documented(NAME, scope="seller:write", answers=SellerShown))
async def name_seller(request: Request) -> Response:
    """Give the seller another name; its code stays."""
    caller, asked = caller_of(request), await NAME(request)
    async with state_of(request).database.writing() as session:
        before = await rename_seller(session, caller.seller, asked.name)
        if before.name != asked.name:
            detail = {"before": before.name, "after": asked.name}
            await add_entries(session, [note(by(request), "seller.rename", caller.seller, detail)])
    return answer(SellerShown(caller.seller, asked.name))
