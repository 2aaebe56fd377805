"""Translates how much a model should think between the fields of both protocols."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.translation.fields import RequestFields
from upstreams.chat import DEFAULT_MAX_TOKENS, Effort
from upstreams.endpoint import Endpoint
from upstreams.parameters import MIN_THINKING_BUDGET, ModelLimits
from upstreams.protocols.anthropic import ADAPTIVE_MAX_TOKENS
from upstreams.protocols.no_thinking import build_no_thinking, find_no_thinking
from upstreams.protocols.openai import effort_for_budget

BUDGETS: Final = {
    Effort.LOW: 2048,
    Effort.MEDIUM: 8192,
    Effort.HIGH: 16384,
    Effort.XHIGH: 32768,
    Effort.MAX: 32768,
}


def chat_thinking(request: RequestFields, config: RequestFields, endpoint: Endpoint) -> dict[str, Any]:
    """The fields of a Chat Completions request about thinking. None of them leaves it to the model."""
    thinking, effort = request.take("thinking") or {"type": ""}, config.take("effort")
    is_off = thinking["type"] == "disabled"
    if not endpoint.reasoning_effort:
        if thinking["type"] and not is_off:
            request.drop("thinking")
        if effort:
            config.drop("effort")
        effort = None
    elif thinking["type"] == "enabled" and not effort:
        effort = effort_for_budget(thinking["budget_tokens"])
    if is_off:
        return build_no_thinking(endpoint)
    return {"reasoning_effort": effort} if effort else {}


@dataclass(frozen=True, slots=True)
class ThinkingFields:
    """The fields of a Messages request about thinking, and the output limit that leaves room for it."""

    max_tokens: int
    fields: dict[str, Any]

    @property
    def is_on(self) -> bool:
        return self.fields.get("thinking", {}).get("type") in ("enabled", "adaptive")


def messages_thinking(
    request: RequestFields, endpoint: Endpoint, limits: ModelLimits, *, may_think: bool, may_budget: bool
) -> ThinkingFields:
    """`may_think` and `may_budget` are false where the server would refuse thinking, or a budget for it."""
    older, newer = request.take("max_tokens"), request.take("max_completion_tokens")
    given: int | None = older if newer is None else newer
    if given is not None and given < 1:
        given = None
    # Programs use the fields of the servers that they know, beside the effort.
    is_off = any([request.take(name) for name in find_no_thinking(request.fields)])
    effort = request.take("reasoning_effort")

    def limit_for(wanted: int) -> int:
        return given or min(wanted, limits.max_output_tokens or wanted)

    if is_off or effort == Effort.MINIMAL:
        return ThinkingFields(limit_for(DEFAULT_MAX_TOKENS), build_no_thinking(endpoint))
    if effort and limits.thinks_adaptively and may_think:
        fields = {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
        return ThinkingFields(limit_for(max(DEFAULT_MAX_TOKENS, ADAPTIVE_MAX_TOKENS)), fields)
    if effort and limits.supports_thinking and may_budget:
        limit = limit_for(DEFAULT_MAX_TOKENS + BUDGETS[effort])
        budget = min(BUDGETS[effort], limit - 1)
        if budget >= MIN_THINKING_BUDGET:
            return ThinkingFields(limit, {"thinking": {"type": "enabled", "budget_tokens": budget}})
    if effort:
        request.drop("reasoning_effort")
    return ThinkingFields(limit_for(DEFAULT_MAX_TOKENS), {})
