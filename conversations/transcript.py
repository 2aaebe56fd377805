"""A conversation as the request that asks for its next reply."""

from collections.abc import Iterable
from typing import Any

from conversations.models import Conversation, Generation, Message, Role
from conversations.models.message import is_text
from upstreams.chat import Block, ChatMessage, ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel
from upstreams.parameters import check


def request_for(generation: Generation) -> ChatRequest:
    """What to ask so that `generation` writes its message: all that was said before it. Queries the database."""
    conversation, chat_model = generation.conversation, generation.chat_model
    if chat_model is None:
        raise ValueError("A generation without a model cannot ask for anything.")
    earlier = conversation.messages.filter(pk__lt=generation.message_id).for_reading()
    return ChatRequest(
        model=chat_model.model_id,
        messages=[message for said in earlier if (message := as_chat_message(said, chat_model)) is not None],
        system=conversation.system_prompt,
        **parameters_of(conversation),
    )


def problems_with(request: ChatRequest, chat_model: ChatModel) -> list[str]:
    """What the model's protocol or limits do not allow, a sentence each; each names its field."""
    return [
        problem.message for problem in check(request, ProtocolName(chat_model.provider.protocol), chat_model.limits)
    ]


def parameters_of(conversation: Conversation) -> dict[str, Any]:
    """What a person set on the conversation, under the names that ChatRequest gives it."""
    return {
        "max_tokens": conversation.max_tokens,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
        "presence_penalty": conversation.presence_penalty,
        "frequency_penalty": conversation.frequency_penalty,
        "stop_sequences": tuple(conversation.stop_sequences),
        "thinking_budget": conversation.thinking_budget,
    }


def as_chat_message(message: Message, reader: ChatModel) -> ChatMessage | None:
    """None for what has nothing to say to the model, such as a reply that failed before its first word."""
    blocks = list(sendable(message.blocks, foreign=is_foreign(message, reader)))
    if not blocks:
        return None
    return ChatMessage("user" if message.role == Role.USER else "assistant", blocks)


def is_foreign(message: Message, reader: ChatModel) -> bool:
    """Written by another provider's model: its signatures mean nothing to this one."""
    if message.role == Role.USER:
        return False
    writer = message.generation.chat_model if message.generation else None
    return writer is None or writer.provider_id != reader.provider_id


def sendable(blocks: Iterable[Block], *, foreign: bool) -> Iterable[Block]:
    """Text that says something; everything else only to the provider whose it is."""
    for block in blocks:
        if is_text(block):
            if block["text"].strip():
                yield block
        elif not foreign:
            yield block
