"""A fresh seller for each test of the allocator; when the test has passed, its books must be true."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from allocator import Allocator

from .fixtures import CONFIG, assert_sound, new_allocator


@pytest.fixture
async def allocator(redis: Redis) -> AsyncIterator[Allocator]:
    """The shop of `fixtures`, with empty shelves and a clock that stands still."""
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    yield allocator
    await assert_sound(redis)
