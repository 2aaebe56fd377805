"""Checks a model's settings before a request: their ranges, and rules between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from upstreams.endpoint import ProtocolName

MIN_THINKING_BUDGET: Final = 1024
MAX_STOP_SEQUENCES: Final = 4
MAX_TEMPERATURE: Final = {ProtocolName.ANTHROPIC: 1, ProtocolName.OPENAI: 2}
_MIN_TOP_P_WHEN_THINKING: Final = 0.95


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """The known limits of a model. Sizes are in tokens, None if unknown."""

    context_window: int | None = None
    max_output_tokens: int | None = None
    supports_thinking: bool = False
    """Whether it can think with a budget."""
    thinks_adaptively: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """A setting that breaks a rule: the name of its field in ChatRequest, and a sentence for people."""

    field: str
    message: str


class Parameters(Protocol):
    """The settings to check. A ChatRequest has all of them."""

    @property
    def max_tokens(self) -> int | None: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def top_p(self) -> float | None: ...
    @property
    def top_k(self) -> int | None: ...
    @property
    def presence_penalty(self) -> float | None: ...
    @property
    def frequency_penalty(self) -> float | None: ...
    @property
    def stop_sequences(self) -> Sequence[str]: ...
    @property
    def thinking_budget(self) -> int | None: ...
    @property
    def thinks_adaptively(self) -> bool: ...


def check(parameters: Parameters, protocol: ProtocolName, limits: ModelLimits) -> list[Violation]:
    """Returns all violations in the order of the fields. Without any, the settings can be sent.

    A setting that the protocol does not support at all, such as a penalty on the Messages API, is not a violation:
    it is left out, and the protocol's `notes` say so.
    """
    return [
        *_check_sampling(parameters, protocol),
        *_check_stop_sequences(parameters.stop_sequences, protocol),
        *_check_max_tokens(parameters.max_tokens, limits),
        *_check_thinking(parameters, protocol, limits),
        *_check_sampling_while_thinking(parameters, protocol),
    ]


def _check_sampling(given: Parameters, protocol: ProtocolName) -> Iterator[Violation]:
    yield from _check_range("temperature", "Temperature", given.temperature, 0, MAX_TEMPERATURE[protocol])
    yield from _check_range("top_p", "Top-p", given.top_p, 0, 1)
    if protocol is ProtocolName.ANTHROPIC and given.temperature is not None and given.top_p is not None:
        yield Violation("top_p", "Set either temperature or top-p for this model, not both.")
    if given.top_k is not None and given.top_k < 0:
        yield Violation("top_k", "Top-k must be 0 or more.")
    if protocol is ProtocolName.OPENAI:
        yield from _check_range("presence_penalty", "Presence penalty", given.presence_penalty, -2, 2)
        yield from _check_range("frequency_penalty", "Frequency penalty", given.frequency_penalty, -2, 2)


def _check_range(field: str, label: str, value: float | None, least: float, most: float) -> Iterator[Violation]:
    # In this form the comparison also refuses "not a number".
    if value is not None and not least <= value <= most:
        sign = "−" if least < 0 else ""
        yield Violation(field, f"{label} must be between {sign}{abs(least):g} and {most:g} for this model.")


def _check_stop_sequences(sequences: Sequence[str], protocol: ProtocolName) -> Iterator[Violation]:
    if protocol is ProtocolName.OPENAI and len(sequences) > MAX_STOP_SEQUENCES:
        yield Violation("stop_sequences", f"This model accepts at most {MAX_STOP_SEQUENCES} stop sequences.")
    if any(not sequence.strip() for sequence in sequences):
        yield Violation("stop_sequences", "A stop sequence must contain more than white space.")


def _check_max_tokens(count: int | None, limits: ModelLimits) -> Iterator[Violation]:
    if count is None:
        return
    if count < 1:
        yield Violation("max_tokens", "The maximum answer length must be at least 1 token.")
    elif limits.max_output_tokens is not None and count > limits.max_output_tokens:
        yield Violation("max_tokens", f"This model writes at most {limits.max_output_tokens:,} tokens in one answer.")
    elif limits.context_window is not None and count > limits.context_window:
        yield Violation("max_tokens", f"This model's context window has only {limits.context_window:,} tokens.")


def _check_thinking(given: Parameters, protocol: ProtocolName, limits: ModelLimits) -> Iterator[Violation]:
    budget = given.thinking_budget
    # Chat Completions requests leave adaptive thinking out, whatever the model.
    if given.thinks_adaptively and protocol is ProtocolName.ANTHROPIC and not limits.thinks_adaptively:
        otherwise = "Set a thinking budget" if limits.supports_thinking else "Turn thinking off"
        yield Violation(
            "thinks_adaptively", f"This model does not support adaptive thinking. {otherwise}, or choose another model."
        )
    if budget is None:
        return
    most = given.max_tokens if given.max_tokens is not None else limits.max_output_tokens
    if not limits.supports_thinking and limits.thinks_adaptively:
        yield Violation(
            "thinking_budget", "This model does not support a thinking budget. Choose adaptive thinking instead."
        )
    elif not limits.supports_thinking:
        yield Violation("thinking_budget", "This model does not support thinking.")
    elif budget < MIN_THINKING_BUDGET:
        yield Violation("thinking_budget", f"The thinking budget must be at least {MIN_THINKING_BUDGET:,} tokens.")
    elif most is not None and budget >= most:
        yield Violation(
            "thinking_budget", f"The thinking budget must be less than the maximum answer length of {most:,} tokens."
        )


def _check_sampling_while_thinking(given: Parameters, protocol: ProtocolName) -> Iterator[Violation]:
    is_thinking = given.thinks_adaptively or given.thinking_budget is not None
    if protocol is not ProtocolName.ANTHROPIC or not is_thinking:
        return
    if given.temperature not in (None, 1):
        yield Violation("temperature", "Temperature must be 1 or empty when thinking is on.")
    if given.top_p is not None and given.top_p < _MIN_TOP_P_WHEN_THINKING:
        yield Violation("top_p", "Top-p must be between 0.95 and 1, or empty, when thinking is on.")
    if given.top_k is not None:
        yield Violation("top_k", "Top-k must be empty when thinking is on.")
