"""Fits settings that were made for one model to another."""

from dataclasses import replace
from typing import Any, Final

from upstreams.chat import ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.parameters import MAX_STOP_SEQUENCES, MAX_TEMPERATURE, MIN_THINKING_BUDGET, ModelLimits, check

_LABELS: Final = {
    "temperature": "Temperature",
    "top_p": "Top-p",
    "top_k": "Top-k",
    "presence_penalty": "Presence penalty",
    "frequency_penalty": "Frequency penalty",
    "max_tokens": "The maximum answer length",
}


def fit(request: ChatRequest, protocol: ProtocolName, limits: ModelLimits) -> ChatRequest:
    """Reduces or removes settings that the model does not allow. A remark in the request names each of them."""
    request = _fit_thinking(_fit_length(request, limits), protocol, limits)
    highest = MAX_TEMPERATURE[protocol]
    if request.temperature is not None and request.temperature > highest:
        remark = f"Temperature was sent as {highest}, the highest value for this model."
        request = _change(request, remark, temperature=highest)
    stops = tuple(stop for stop in request.stop_sequences if stop.strip())
    if protocol is ProtocolName.OPENAI and len(stops) > MAX_STOP_SEQUENCES:
        remark = f"Only the first {MAX_STOP_SEQUENCES} stop sequences were sent: this model accepts no more."
        request = _change(request, remark, stop_sequences=stops[:MAX_STOP_SEQUENCES])
    elif len(stops) < len(request.stop_sequences):
        request = _change(request, "Blank stop sequences were not sent.", stop_sequences=stops)
    for violation in check(request, protocol, limits):
        if violation.field in _LABELS and getattr(request, violation.field) is not None:
            remark = f"{_LABELS[violation.field]} was not sent. {violation.message}"
            request = _change(request, remark, **{violation.field: None})
    return request


def _fit_length(request: ChatRequest, limits: ModelLimits) -> ChatRequest:
    most = limits.max_output_tokens
    if request.max_tokens is None or most is None or request.max_tokens <= most:
        return request
    remark = f"The maximum answer length was sent as {most:,} tokens: this model writes no more in one answer."
    return _change(request, remark, max_tokens=most)


def _fit_thinking(request: ChatRequest, protocol: ProtocolName, limits: ModelLimits) -> ChatRequest:
    if request.thinks_adaptively and protocol is ProtocolName.ANTHROPIC and not limits.thinks_adaptively:
        remark = "Adaptive thinking was not requested: this model does not support it."
        request = _change(request, remark, thinks_adaptively=False)
    budget = request.thinking_budget
    if budget is None:
        return request
    if not limits.supports_thinking:
        remark = "The thinking budget was not sent: this model does not support one."
        return _change(request, remark, thinking_budget=None, thinks_adaptively=limits.thinks_adaptively)
    most = request.max_tokens if request.max_tokens is not None else limits.max_output_tokens
    fitting = max(budget, MIN_THINKING_BUDGET)
    if most is not None and fitting >= most:
        # The other half is left for the answer.
        fitting = most // 2
    if fitting < MIN_THINKING_BUDGET:
        remark = f"Thinking is off for this answer: {most:,} tokens are too few to think and answer."
        return _change(request, remark, thinking_budget=None, thinking_is_off=True)
    if fitting != budget:
        return _change(request, f"The thinking budget was sent as {fitting:,} tokens.", thinking_budget=fitting)
    return request


def _change(request: ChatRequest, remark: str, **fields: Any) -> ChatRequest:
    return replace(request, **fields, remarks=(*request.remarks, remark))
