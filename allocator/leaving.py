"""Lets records leave a seller's store, when SQL has them: the other half of `remembering`."""

from collections.abc import Sequence

from . import answers
from .arguments import flat
from .keys import SellerKeys
from .pipe import Pipe
from .records import Kept
from .runner import Retries, Runner

CALL_MAX = 100
"""Most records of one call."""


class Leaving:
    """What one seller's store may let go."""

    def __init__(self, pipe: Pipe, seller: str, epoch: str) -> None:
        self._runner = Runner(pipe, SellerKeys(seller), Retries())
        self._epoch = epoch

    async def forget(self, records: Sequence[Kept]) -> int:
        """
        Remove answers, ended holds and closed orders that SQL has exactly so, at most CALL_MAX; how many were removed.

        What has changed since, or is not over, stays. Nobody's later answer is another for it. Raises NotReady,
        Invalid, Unanswered.
        """
        reply = await self._runner.attempt("forget", [self._epoch, "", "", *flat(records)])
        return int(answers.unpack(reply.packed)[0])
