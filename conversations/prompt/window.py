"""Measures how full a conversation's context window is, and finds what to drop so that it fits again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from conversations.models import Conversation, Message, Path, Role, ThinkingMode
from ledger.token_estimates import estimate_message, estimate_text
from upstreams.chat import DEFAULT_MAX_TOKENS
from upstreams.models import ChatModel

KEPT_SHARE = 0.5
"""The share of the window that is kept when messages are dropped. Every trim loses the cached prompt, so half goes at
once."""


@dataclass(frozen=True, slots=True)
class Fill:
    """The tokens of the next request, and the window if it is known. `reserve` is kept free for the answer."""

    tokens: int
    window: int | None
    reserve: int = 0
    is_counted: bool = False

    @property
    def percent(self) -> int | None:
        return None if self.window is None else round(100 * self.tokens / self.window)

    @property
    def share(self) -> int:
        """The percentage, at most 100, for the ring on the page."""
        return min(100, self.percent or 0)

    @property
    def room(self) -> int | None:
        """Free tokens; negative if the next turn does not fit."""
        return None if self.window is None else self.window - self.reserve - self.tokens

    @property
    def overflows(self) -> bool:
        return self.room is not None and self.room <= 0


def measure_fill(
    path: Path, chat_model: ChatModel, counted: int | None = None, tools: Sequence[Mapping[str, Any]] = ()
) -> Fill:
    """Uses the upstream's count if there is one, and an estimate otherwise. Queries the database."""
    messages = list(path.in_context().for_prompt())
    tokens = estimate(messages, path.conversation, chat_model, tools) if counted is None else counted
    window = chat_model.context_window
    return Fill(tokens, window, tokens_for_answer(path.conversation, window), is_counted=counted is not None)


def tokens_for_answer(conversation: Conversation, window: int | None) -> int:
    """Returns the tokens that the answer may have, at most half of the window."""
    budget = conversation.thinking_budget if conversation.thinking == ThinkingMode.BUDGET else None
    wanted = conversation.max_tokens or DEFAULT_MAX_TOKENS + (budget or 0)
    return wanted if window is None else min(wanted, window // 2)


def estimate(
    messages: Sequence[Message],
    conversation: Conversation,
    chat_model: ChatModel,
    tools: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Adds an estimate of later messages to what the upstream reported for this model's latest answer."""
    for place in reversed(range(len(messages))):
        reply = messages[place].generation
        if reply and not reply.rounds and reply.chat_model_id == chat_model.pk and reply.prompt_tokens:
            # The figures of an answer from before the last trim include messages that were dropped.
            if messages[0].memory_begins and messages[place].revision <= messages[0].revision:
                break
            reported = reply.prompt_tokens + (reply.output_tokens or 0) - (reply.thinking_tokens or 0)
            return reported + sum(map(tokens_in, messages[place + 1 :]))
    before = estimate_text(conversation.system_prompt) + sum(estimate_text(str(tool)) for tool in tools)
    return before + sum(map(tokens_in, messages))


def find_first_to_keep(messages: Sequence[Message], tokens: int, window: int | None) -> Message | None:
    """Returns the first message to keep so that half of the window is free; None if nothing can be dropped.

    `tokens` is the total of all messages. The latest turn is always kept.
    """
    sizes = [tokens_in(message) for message in messages]
    scale = tokens / max(1, sum(sizes))
    most = KEPT_SHARE * min(filter(None, (window, tokens)), default=0)
    turns = [place for place, message in enumerate(messages) if message.role == Role.USER]
    left = [total * scale for total in accumulate(reversed(sizes))][::-1]
    fitting = next((place for place in turns if left[place] <= most), turns[-1] if turns else 0)
    return messages[fitting] if fitting else None


def tokens_in(message: Message) -> int:
    return estimate_message(message.blocks)
