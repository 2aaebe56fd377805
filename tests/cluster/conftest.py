from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.kill()


@pytest.fixture
def cluster(tmp_path: Path, postgres: PostgresServer, redis: RedisServer) -> Iterator[Cluster]:
    with Cluster(tmp_path / "data", postgres, redis) as started:
        yield started
