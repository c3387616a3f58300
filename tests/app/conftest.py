"""The service in this process, on a real Valkey, filled with the shop of shop.yaml."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from allocator import Allocator, make_client
from app.deps import State
from app.main import create_app
from app.opening import make_first_key
from app.settings import Settings

SHOP = Path(__file__).with_name("shop.yaml")


@pytest.fixture
async def redis_of_service(servers) -> AsyncIterator[Redis]:
    """A client of the service's own store, which is empty at first."""
    client = make_client(servers["valkey"])
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def settings(tmp_path, servers, redis_of_service) -> Settings:
    """Settings of a service with an empty store and an empty database."""
    return Settings(
        _env_file=None,
        redis_url=servers["valkey"],
        database_url=None,
        data_dir=tmp_path / "data",
        key_pepper=None,
        seed_path=SHOP,
        body_bytes_max=60_000,
        hold_seconds=60,
        hold_seconds_max=600,
        log_level="info",
    )


@pytest.fixture
async def app(settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def state(app) -> State:
    return app.state.service


@pytest.fixture
def allocator(state) -> Allocator:
    return state.allocators["main"]


@pytest.fixture
async def key(state) -> str:
    return await make_first_key(state, None)


@pytest.fixture
async def stranger(app) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://allot") as client:
        yield client


@pytest.fixture
async def client(app, key) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with the first key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://allot", headers=headers
    ) as client:
        yield client
