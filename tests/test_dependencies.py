"""Every imported library is declared, and the private parts of libraries that the code uses exist."""

import ast
import asyncio
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from aiohttp import ClientResponse, StreamReader
from aiohttp.base_protocol import BaseProtocol
from httpx_aiohttp.transport import AiohttpResponseStream
from jsonschema.validators import Draft202012Validator
from pygments.lexers import get_lexer_by_name
from pygments.token import _TokenType
from twisted.internet.abstract import FileDescriptor

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ["accounts", "chatsite", "conversations", "gateway", "ledger", "tools", "upstreams"]
# Imported only if they are used: a driver for another database, Redis, a store of files, and a faster event loop for
# benchmarks.
OPTIONAL = {"boto3", "botocore", "storages", "psycopg", "psycopg_pool", "redis", "uvloop"}


def imported_by(packages: list[str]) -> set[str]:
    return {name.partition(".")[0] for package in packages for name in _modules_imported_below(ROOT / package)}


def _modules_imported_below(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module or ""


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


@pytest.mark.parametrize(
    ("packages", "requirements"),
    [
        (PACKAGES, PROJECT["dependencies"]),
        (["tests", "bench"], PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
    ],
    ids=["product", "tests"],
)
def test_every_library_that_is_imported_is_declared(packages: list[str], requirements: list[str]) -> None:
    ours = {"bench", "tests", *PACKAGES, *OPTIONAL}
    distributions = packages_distributions()
    imported = imported_by(packages) - ours - set(sys.stdlib_module_names)
    declared = names_of(requirements)
    assert [name for name in sorted(imported) if not declared & names_of(distributions.get(name, []))] == []


async def test_aiohttp_returns_data_that_arrived_before_a_connection_broke() -> None:
    loop = asyncio.get_running_loop()
    reader = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    reader.feed_data(b"arrived")
    reader.set_exception(ConnectionResetError())
    assert reader._read_nowait(-1) == b"arrived"


async def test_aiohttp_resumes_a_connection_only_below_its_low_water() -> None:
    class Connection(BaseProtocol):
        resumed = 0

        def resume_reading(self, resume_parser: bool = True) -> None:
            self.resumed += 1

    loop = asyncio.get_running_loop()
    reader = StreamReader(connection := Connection(loop), 2**16, loop=loop)
    for low_water, resumed in ((reader._low_water, 1), (0, 1)):
        reader._low_water = low_water
        reader.feed_data(b"arrived")
        assert (await reader.readany(), connection.resumed) == (b"arrived", resumed)


async def test_httpx_aiohttp_keeps_the_response_it_reads() -> None:
    response = object.__new__(ClientResponse)
    assert AiohttpResponseStream(response)._aiohttp_response is response


def test_twisted_counts_the_bytes_that_wait_for_the_socket() -> None:
    waiting = FileDescriptor(reactor=None)
    waiting.connected, waiting.startWriting = True, lambda: None
    waiting.write(b"four")
    waiting.write(b"four")
    assert (len(waiting.dataBuffer), waiting.offset, waiting._tempDataLen) == (0, 0, 8)


def test_a_lexer_keeps_its_rules_by_state() -> None:
    match, kind, _ = get_lexer_by_name("python")._tokens["root"][0]
    assert isinstance(match.__self__, re.Pattern)
    assert isinstance(kind, _TokenType)


def test_jsonschema_follows_a_reference_when_asked() -> None:
    validator = Draft202012Validator({"$defs": {"word": {"type": "string"}}})
    errors = validator._validate_reference(ref="#/$defs/word", instance=1)
    assert [error.message for error in errors] == ["1 is not of type 'string'"]
