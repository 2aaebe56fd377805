"""Limits what a request lets the model write, so that its reservation in the ledger covers the call. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from gateway.problems import Problem
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.parameters import ModelLimits

UNKNOWN_MAXIMUM: Final = 131_072
"""The longest answer, in tokens, of a model whose output limit is unknown."""
OVERRULING_FIELDS: Final = frozenset(
    {
        *("max_new_tokens", "max_output_tokens", "max_tokens_to_sample", "max_gen_len", "max_gen_toks", "max_length"),
        *("n_predict", "num_predict", "best_of", "n_cmpl", "num_generations", "num_return_sequences"),
        *("models", "fallbacks"),
    }
)
"""Fields of neither protocol by which some servers write more than the limit, more answers, or with another model."""
_FOREIGN_FIELDS: Final = {
    ProtocolName.ANTHROPIC: OVERRULING_FIELDS | {"max_completion_tokens", "n"},
    ProtocolName.OPENAI: OVERRULING_FIELDS,
}
_CONTAINERS: Final = ("extra_body", "options")
"""Objects whose fields some servers treat as fields of the request. One may contain another."""
_TEMPLATE: Final = "chat_template_kwargs"
"""An object whose fields the template of the prompt gets, such as a budget for thinking."""
_OVERRULING_WITHIN: Final = OVERRULING_FIELDS | {"max_tokens", "max_completion_tokens", "n"}


@dataclass(frozen=True, slots=True)
class LimitedBody:
    fields: dict[str, Any]
    dropped: list[str]
    """Paths of the fields that were left out. Each is safe in a header."""


@dataclass(frozen=True, slots=True)
class OutputLimit:
    """What an upstream may write: the tokens of each answer, and the number of answers.

    Its `tokens` are None if neither the request nor the model has a known limit.
    """

    tokens: int | None
    answers: int


def limit_output(
    body: Mapping[str, Any], protocol: ProtocolName, endpoint: Endpoint, limits: ModelLimits
) -> LimitedBody:
    """Lowers the limit in a checked body to the model's, and leaves out the fields that would overrule it.

    Of a Chat Completions request, only the limit that counts remains, in the field that the endpoint knows. Leaves a
    limit below 1 as it is: some servers take it for no limit.
    """
    dropped = list(_find_overruling(body, _FOREIGN_FIELDS[protocol]))
    fields = {name: _clean(name, value) for name, value in body.items() if name not in dropped}
    maximum = find_maximum(limits)
    if protocol is ProtocolName.OPENAI:
        older, newer = fields.pop("max_tokens", None), fields.pop("max_completion_tokens", None)
        limit = older if newer is None else newer
        return LimitedBody(
            fields if limit is None else {**fields, endpoint.max_tokens_field: min(limit, maximum)}, dropped
        )
    limit, budget = fields["max_tokens"], _read_budget(fields)
    if limit > budget >= maximum:
        # The lower limit would make the budget invalid.
        raise Problem.at("thinking.budget_tokens", f"must be less than this model's output limit of {maximum} tokens.")
    fields["max_tokens"] = min(limit, maximum)
    return LimitedBody(fields, dropped)


def read_limit(payload: Mapping[str, Any], endpoint: Endpoint, limits: ModelLimits) -> OutputLimit:
    """Reads the limit in a payload that `limit_output` and perhaps a translation have made."""
    if endpoint.protocol is ProtocolName.ANTHROPIC:
        limit, budget = payload["max_tokens"], _read_budget(payload)
        # A budget above the limit is one for all thinking between calls of tools.
        return OutputLimit(_add_thinking(limit, budget if budget >= limit else 0, limits) if limit >= 0 else None, 1)
    limit, answers = payload.get(endpoint.max_tokens_field), payload.get("n") or 1
    if limit is None or limit < 1:
        is_known = limits.max_output_tokens or limits.context_window
        return OutputLimit(find_maximum(limits) if is_known else None, answers)
    # Some servers do not count thinking towards the limit.
    return OutputLimit(_add_thinking(limit, _read_thinking(payload), limits), answers)


def find_maximum(limits: ModelLimits) -> int:
    """The most tokens that the model can write in one answer."""
    return limits.max_output_tokens or min(limits.context_window or UNKNOWN_MAXIMUM, UNKNOWN_MAXIMUM)


def _find_overruling(body: Mapping[str, Any], foreign: frozenset[str]) -> Iterator[str]:
    yield from (name for name in body if name in foreign)
    for container in _CONTAINERS:
        if isinstance(inner := body.get(container), Mapping):
            yield from (f"{container}.{path}" for path in _find_overruling(inner, _OVERRULING_WITHIN))


def _clean(name: str, value: Any) -> Any:
    if name in _CONTAINERS and isinstance(value, Mapping):
        return {inner: _clean(inner, each) for inner, each in value.items() if inner not in _OVERRULING_WITHIN}
    return value


def _add_thinking(limit: int, thinking: int, limits: ModelLimits) -> int:
    return min(limit + thinking, find_maximum(limits))


def _read_budget(fields: Mapping[str, Any]) -> int:
    """The budget for thinking of a Messages request; 0 without one."""
    thinking = fields.get("thinking")
    if not isinstance(thinking, Mapping) or thinking.get("type") != "enabled":
        return 0
    return max(0, thinking.get("budget_tokens") or 0)


def _read_thinking(payload: Mapping[str, Any]) -> int:
    """The largest budget for thinking in fields that some servers add to Chat Completions; 0 without one."""
    budgets = [_round_up(payload.get("thinking_budget"))]
    for container, name in (("thinking", "budget_tokens"), ("reasoning", "max_tokens")):
        if isinstance(inner := payload.get(container), Mapping):
            budgets.append(_round_up(inner.get(name)))
    containers = (payload.get(container) for container in (*_CONTAINERS, _TEMPLATE))
    return max([*budgets, *(_read_thinking(inner) for inner in containers if isinstance(inner, Mapping))])


def _round_up(budget: object) -> int:
    """The budget as a whole number; 0 if it is none. Some servers also take a number in quotes."""
    if isinstance(budget, bool) or not isinstance(budget, int | float | str):
        return 0
    try:
        return max(0, ceil(float(budget)))
    except OverflowError:
        return UNKNOWN_MAXIMUM
    except ValueError:
        return 0
