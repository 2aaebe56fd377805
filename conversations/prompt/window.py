"""How much of a model's context window a conversation takes up, and from where on it would fit again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from conversations.models import Conversation, Message, Path, Role, ThinkingMode
from ledger.sizes import estimate_message, estimate_text
from upstreams.chat import DEFAULT_MAX_TOKENS
from upstreams.models import ChatModel

KEPT_SHARE = 0.5
"""Of the window, when something is left out: much at once, and seldom, since each time the cached prompt is lost."""


@dataclass(frozen=True, slots=True)
class Fill:
    """`tokens` of what would be asked, of a window that may not be known; `reserve` is for the answer."""

    tokens: int
    window: int | None
    reserve: int = 0
    is_counted: bool = False

    @property
    def percent(self) -> int | None:
        return None if self.window is None else round(100 * self.tokens / self.window)

    @property
    def share(self) -> int:
        """Of a ring that can be no more than full."""
        return min(100, self.percent or 0)

    @property
    def room(self) -> int | None:
        """Tokens that can still be said; negative when the next turn does not fit."""
        return None if self.window is None else self.window - self.reserve - self.tokens

    @property
    def overflows(self) -> bool:
        return self.room is not None and self.room <= 0


def fill_of(
    path: Path, chat_model: ChatModel, counted: int | None = None, tools: Sequence[Mapping[str, Any]] = ()
) -> Fill:
    """By the upstream's count, if there is one; else estimated. Queries the database."""
    told = list(path.remembered().for_prompt())
    tokens = estimate(told, path.conversation, chat_model, tools) if counted is None else counted
    window = chat_model.context_window
    return Fill(tokens, window, reserve(path.conversation, window), is_counted=counted is not None)


def reserve(conversation: Conversation, window: int | None) -> int:
    """What the answer may take up, but never more than half."""
    budget = conversation.thinking_budget if conversation.thinking == ThinkingMode.BUDGET else None
    wanted = conversation.max_tokens or DEFAULT_MAX_TOKENS + (budget or 0)
    return wanted if window is None else min(wanted, window // 2)


def estimate(
    told: Sequence[Message],
    conversation: Conversation,
    chat_model: ChatModel,
    tools: Sequence[Mapping[str, Any]] = (),
) -> int:
    """From what the upstream reported of the latest answer, if this model wrote it; what came after it is guessed."""
    for place in reversed(range(len(told))):
        reply = told[place].generation
        if reply and not reply.rounds and reply.chat_model_id == chat_model.pk and reply.prompt_tokens:
            # An answer from before something was left out says nothing of what is left.
            if told[0].memory_begins and told[place].revision <= told[0].revision:
                break
            said = reply.prompt_tokens + (reply.output_tokens or 0) - (reply.thinking_tokens or 0)
            return said + sum(map(tokens_in, told[place + 1 :]))
    before = estimate_text(conversation.system_prompt) + sum(estimate_text(str(tool)) for tool in tools)
    return before + sum(map(tokens_in, told))


def kept_from(told: Sequence[Message], tokens: int, window: int | None) -> Message | None:
    """The first message to remember, so that about half of the window is free; None when nothing can be left out.

    `tokens` is what all of them come to; the latest turn is always kept.
    """
    sizes = [tokens_in(message) for message in told]
    scale = tokens / max(1, sum(sizes))
    most = KEPT_SHARE * min(filter(None, (window, tokens)), default=0)
    turns = [place for place, message in enumerate(told) if message.role == Role.USER]
    left = [total * scale for total in accumulate(reversed(sizes))][::-1]
    fitting = next((place for place in turns if left[place] <= most), turns[-1] if turns else 0)
    return told[fitting] if fitting else None


def tokens_in(message: Message) -> int:
    return estimate_message(message.blocks)
