"""How many tokens a request of the Messages API has: by the upstream's own count, or about."""

import asyncio
from typing import Final

from gateway.problems import Problem
from gateway.serving.admission import Asked
from gateway.serving.payloads import verbatim
from ledger.sizes import estimate_prompt
from upstreams.client import LIMITS
from upstreams.client.counting import PATH, count_in
from upstreams.client.exchange import Exchange
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError
from upstreams.protocols import PROTOCOLS

PATIENCE: Final = 30.0
_UNKNOWN_THERE: Final = (404, 405, 501)


async def counted(asked: Asked, model_id: str, endpoint: Endpoint) -> tuple[int, bool]:
    """The tokens, and whether that is an estimate."""
    if endpoint.protocol is ProtocolName.ANTHROPIC:
        try:
            if (count := await _upstreams_count(asked, model_id, endpoint)) is not None:
                return count, False
        except UpstreamError as failure:
            if failure.status not in _UNKNOWN_THERE:
                raise Problem.of(failure) from None
    return estimate_prompt(asked.body), True


async def _upstreams_count(asked: Asked, model_id: str, endpoint: Endpoint) -> int | None:
    exchange = Exchange(endpoint, LIMITS, is_streamed=False)
    try:
        async with asyncio.timeout(PATIENCE):
            payload = verbatim(asked.protocol, asked.body, model_id)
            await exchange.ask(PATH, PROTOCOLS[endpoint.protocol].headers(endpoint, False), payload)
            return count_in(await exchange.whole())
    except TimeoutError:
        return None
    finally:
        await exchange.close()
