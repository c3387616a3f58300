"""
What can go wrong at a vendor's, on demand.

A sandbox asks before it does anything (`before`), and before it answers (`after`): so an answer can be lost although
the effect is there, which is the case that matters.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from starlette.responses import Response


class Lost(Exception):
    """The connection breaks here: nobody hears the answer."""


@dataclass
class Faults:
    """
    How many of the next requests go wrong, by kind; 0: none. Operations: '' is every one.

    outage: the vendor is down. throttle: it asks to slow down. lose: it does what it was asked for, and the answer is
    lost. page: a proxy answers with HTML. slow_s: every answer takes so long. refuse: listings that a push refuses.
    """

    outage: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    throttle: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lose: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    page: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refuse: set[str] = field(default_factory=set)
    slow_s: float = 0.0

    def strikes(self, kind: dict[str, int], operation: str) -> bool:
        """Whether this fault happens to this request; one fewer is left then."""
        for name in (operation, ""):
            if kind[name] > 0:
                kind[name] -= 1
                return True
        return False

    async def before(self, operation: str) -> Response | None:
        """What is answered instead of doing anything, or None."""
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.strikes(self.outage, operation):
            return Response("the service is unavailable", 503)
        if self.strikes(self.page, operation):
            return Response("<html><title>Just a moment...</title></html>", 403, media_type="text/html")
        return None

    def after(self, operation: str) -> None:
        """Raise Lost when the answer to what was just done does not arrive."""
        if self.strikes(self.lose, operation):
            raise Lost(operation)
