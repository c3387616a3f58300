"""What a worker does so that a channel shows the right numbers."""

from typing import Final

from .bulk import follow_tickets
from .following import follow, know_listings
from .given_up import try_again
from .pushing import push
from .reconciling import prove, reconcile
from .steps import Step

FOLLOW: Final = Step("follow", 0.25, follow)
LISTINGS: Final = Step("listings", 1.0, know_listings)

OUT_STEPS: Final = (
    FOLLOW,
    LISTINGS,
    Step("push", 0.5, push),
    Step("try_again", 1.0, try_again),
    Step("tickets", 5.0, follow_tickets),
    Step("prove", 5.0, prove),
    Step("reconcile", 10.0, reconcile),
)
"""They run side by side: what one writes names what it has seen, so that none undoes what another did."""

WHILE_PAUSED: Final = frozenset({FOLLOW.name, LISTINGS.name})
"""What goes on while a connection is paused: changes are noted, and nobody talks to the channel."""
