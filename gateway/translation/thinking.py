"""How much a model is to think, said in the words of either protocol."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.translation.asked import Asked
from upstreams.chat import DEFAULT_MAX_TOKENS, Effort
from upstreams.endpoint import Endpoint
from upstreams.parameters import MIN_THINKING_BUDGET, ModelLimits
from upstreams.protocols.anthropic import ADAPTIVE_MAX_TOKENS
from upstreams.protocols.openai import effort_for_budget

BUDGETS: Final = {
    Effort.LOW: 2048,
    Effort.MEDIUM: 8192,
    Effort.HIGH: 16384,
    Effort.XHIGH: 32768,
    Effort.MAX: 32768,
}


def chat_effort(asked: Asked, config: Asked, endpoint: Endpoint) -> str | None:
    """The `reasoning_effort`, where the server is known to take one; None leaves it to the model."""
    thinking, effort = asked.take("thinking") or {"type": ""}, config.take("effort")
    if not endpoint.reasoning_effort:
        if thinking["type"] not in ("", "disabled"):
            asked.drop("thinking")
        if effort:
            config.drop("effort")
        return None
    if thinking["type"] == "disabled":
        return Effort.NONE
    if thinking["type"] == "enabled" and not effort:
        return effort_for_budget(thinking["budget_tokens"])
    return None if effort is None else str(effort)


@dataclass(frozen=True, slots=True)
class Thinking:
    """What a Messages request says about thinking, and the output limit that leaves room for it."""

    max_tokens: int
    fields: dict[str, Any]

    @property
    def is_on(self) -> bool:
        return self.fields.get("thinking", {}).get("type") in ("enabled", "adaptive")


def messages_thinking(asked: Asked, limits: ModelLimits, *, may_think: bool, may_budget: bool) -> Thinking:
    """What the server would refuse may not be: thinking at all, or thinking on a budget."""
    older, newer = asked.take("max_tokens"), asked.take("max_completion_tokens")
    given: int | None = older if newer is None else newer
    effort = asked.take("reasoning_effort")

    def room(wanted: int) -> int:
        return given or min(wanted, limits.max_output_tokens or wanted)

    if effort in (Effort.NONE, Effort.MINIMAL):
        can_think = limits.supports_thinking or limits.thinks_adaptively
        return Thinking(room(DEFAULT_MAX_TOKENS), {"thinking": {"type": "disabled"}} if can_think else {})
    if effort and limits.thinks_adaptively and may_think:
        fields = {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
        return Thinking(room(max(DEFAULT_MAX_TOKENS, ADAPTIVE_MAX_TOKENS)), fields)
    if effort and limits.supports_thinking and may_budget:
        most = room(DEFAULT_MAX_TOKENS + BUDGETS[effort])
        budget = min(BUDGETS[effort], most - 1)
        if budget >= MIN_THINKING_BUDGET:
            return Thinking(most, {"thinking": {"type": "enabled", "budget_tokens": budget}})
    if effort:
        asked.drop("reasoning_effort")
    return Thinking(room(DEFAULT_MAX_TOKENS), {})
