"""What a worker does for a connection so that orders come in, and what becomes of them goes back."""

from typing import Final

from .errands import make_errands, run_errands
from .intake import take_waiting, wake_lost_orders, wake_unmapped
from .pulling import pull
from .steps import Step
from .subscribing import keep_subscribed

IN_STEPS: Final = (
    Step("take_orders", 0.5, take_waiting),
    Step("wake_orders", 5.0, wake_unmapped),
    Step("check_orders", 300.0, wake_lost_orders),
    Step("pull_orders", 2.0, pull),
    Step("make_errands", 1.0, make_errands),
    Step("run_errands", 1.0, run_errands),
    Step("keep_subscribed", 30.0, keep_subscribed),
)
"""Each by itself; none needs another one to have run."""
