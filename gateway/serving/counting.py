"""Counts the tokens of a request of the Messages API. If the upstream cannot, this is an estimate."""

import asyncio
from typing import Final

from gateway.problems import Problem
from gateway.serving.admission import ProgramRequest
from gateway.serving.payloads import pass_through_payload
from ledger.token_estimates import estimate_prompt
from upstreams.client import LIMITS
from upstreams.client.counting import PATH, count_in
from upstreams.client.exchange import Exchange
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError
from upstreams.protocols import PROTOCOLS

PATIENCE: Final = 30.0
_CANNOT_COUNT: Final = (404, 405, 501)


async def count_tokens(request: ProgramRequest, model_id: str, endpoint: Endpoint) -> tuple[int, bool]:
    """Returns the tokens, and whether they are an estimate."""
    if endpoint.protocol is ProtocolName.ANTHROPIC:
        try:
            if (count := await _ask_upstream(request, model_id, endpoint)) is not None:
                return count, False
        except UpstreamError as failure:
            if failure.status not in _CANNOT_COUNT:
                raise Problem.of(failure) from None
    return estimate_prompt(request.body), True


async def _ask_upstream(request: ProgramRequest, model_id: str, endpoint: Endpoint) -> int | None:
    exchange = Exchange(endpoint, LIMITS, is_streamed=False)
    try:
        async with asyncio.timeout(PATIENCE):
            payload = pass_through_payload(request.protocol, request.body, model_id)
            await exchange.ask(PATH, PROTOCOLS[endpoint.protocol].headers(endpoint, False), payload)
            return count_in(await exchange.read_whole())
    except TimeoutError:
        return None
    finally:
        await exchange.close()
