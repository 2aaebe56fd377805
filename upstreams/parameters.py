"""What may be asked of a model: the ranges and cross rules of its settings, checked before anything is sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from upstreams.endpoint import ProtocolName

MIN_THINKING_BUDGET: Final = 1024
MAX_STOP_SEQUENCES: Final = 4
_HIGHEST_TEMPERATURE: Final = {ProtocolName.ANTHROPIC: 1, ProtocolName.OPENAI: 2}
_LEAST_TOP_P_WHEN_THINKING: Final = 0.95


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What is known of a model; sizes are tokens, None when unknown."""

    context_window: int | None = None
    max_output_tokens: int | None = None
    supports_thinking: bool = False
    """On a budget."""
    thinks_adaptively: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a setting cannot be used: the field's name as in ChatRequest, and a sentence for people."""

    field: str
    message: str


class Parameters(Protocol):
    """The settings to check; a ChatRequest has them all."""

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
    """All problems, in the order of the fields; an empty list when the settings can be sent.

    What a protocol does not know at all, such as penalties on the Messages API, is no
    problem: it is left out, and the protocol's `notes` say so.
    """
    return [
        *_sampling(parameters, protocol),
        *_stop_sequences(parameters.stop_sequences, protocol),
        *_max_tokens(parameters.max_tokens, limits),
        *_thinking(parameters, protocol, limits),
        *_while_thinking(parameters, protocol),
    ]


def _sampling(given: Parameters, protocol: ProtocolName) -> Iterator[Violation]:
    yield from _range("temperature", "Temperature", given.temperature, 0, _HIGHEST_TEMPERATURE[protocol])
    yield from _range("top_p", "Top-p", given.top_p, 0, 1)
    if protocol is ProtocolName.ANTHROPIC and given.temperature is not None and given.top_p is not None:
        yield Violation("top_p", "Set either temperature or top-p for this model, not both.")
    if given.top_k is not None and given.top_k < 0:
        yield Violation("top_k", "Top-k must be 0 or more.")
    if protocol is ProtocolName.OPENAI:
        yield from _range("presence_penalty", "Presence penalty", given.presence_penalty, -2, 2)
        yield from _range("frequency_penalty", "Frequency penalty", given.frequency_penalty, -2, 2)


def _range(field: str, label: str, value: float | None, least: float, most: float) -> Iterator[Violation]:
    # Said this way round, the comparison also refuses "not a number".
    if value is not None and not least <= value <= most:
        sign = "−" if least < 0 else ""
        yield Violation(field, f"{label} must be between {sign}{abs(least):g} and {most:g} for this model.")


def _stop_sequences(sequences: Sequence[str], protocol: ProtocolName) -> Iterator[Violation]:
    if protocol is ProtocolName.OPENAI and len(sequences) > MAX_STOP_SEQUENCES:
        yield Violation("stop_sequences", f"This model accepts at most {MAX_STOP_SEQUENCES} stop sequences.")
    if any(not sequence.strip() for sequence in sequences):
        yield Violation("stop_sequences", "A stop sequence must contain more than white space.")


def _max_tokens(count: int | None, limits: ModelLimits) -> Iterator[Violation]:
    if count is None:
        return
    if count < 1:
        yield Violation("max_tokens", "The maximum answer length must be at least 1 token.")
    elif limits.max_output_tokens is not None and count > limits.max_output_tokens:
        yield Violation("max_tokens", f"This model writes at most {limits.max_output_tokens:,} tokens in one answer.")
    elif limits.context_window is not None and count > limits.context_window:
        yield Violation("max_tokens", f"This model's context window has only {limits.context_window:,} tokens.")


def _thinking(given: Parameters, protocol: ProtocolName, limits: ModelLimits) -> Iterator[Violation]:
    budget = given.thinking_budget
    # Chat completions know no adaptive thinking: it is left out there, whatever the model is.
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


def _while_thinking(given: Parameters, protocol: ProtocolName) -> Iterator[Violation]:
    is_thinking = given.thinks_adaptively or given.thinking_budget is not None
    if protocol is not ProtocolName.ANTHROPIC or not is_thinking:
        return
    if given.temperature not in (None, 1):
        yield Violation("temperature", "Temperature must be 1 or empty when thinking is on.")
    if given.top_p is not None and given.top_p < _LEAST_TOP_P_WHEN_THINKING:
        yield Violation("top_p", "Top-p must be between 0.95 and 1, or empty, when thinking is on.")
    if given.top_k is not None:
        yield Violation("top_k", "Top-k must be empty when thinking is on.")
