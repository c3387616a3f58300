"""Replays a file of orders against a running service, and checks afterwards that no unit was sold twice or lost."""

from .command import replay

__all__ = ["replay"]
