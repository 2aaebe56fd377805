"""Turns a conversation into the request for its next reply."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from accounts.pseudonyms import make_pseudonym
from conversations.models import Conversation, Generation, Message, Path, Role, ThinkingMode
from conversations.models.attachment import reference_in
from conversations.models.message import TOOL_TYPES, blocks_to_continue, ends_in_tools, is_text, text_block
from conversations.prompt.files import AttachedFiles
from conversations.prompt.other_models import strip_for_others
from upstreams.chat import Block, ChatMessage, ChatRequest, Effort
from upstreams.endpoint import ProtocolName
from upstreams.fitting import fit
from upstreams.models import ChatModel
from upstreams.parameters import check

CONTINUE_REQUEST = (
    "Your last answer was cut off. Continue exactly where it stopped, even mid-word. "
    "Repeat nothing, and do not mention continuing."
)
IMAGES_ABOVE = "[Images in your answer above:]"
BEYOND_ALL = 2**62
"""A key greater than that of any message."""
SEVERAL_PEOPLE = (
    "Several people take part in this conversation. Each of their messages begins with its author's name and a colon."
)


def build_request(
    generation: Generation, message: Message, tools: Sequence[Block] = (), *, by_asking: bool = False
) -> ChatRequest:
    """Builds the request for `message` from everything before it. Queries the database.

    A continuation ends with the text so far, which the model continues. With `by_asking`, a
    sentence asks for that, for models that do not continue their own text.
    """
    conversation, chat_model = generation.conversation, generation.chat_model
    if chat_model is None:
        raise ValueError("A generation without a model cannot ask for anything.")
    path = Path.to(message.branch)
    earlier = list(path.in_context(before=message.pk).for_prompt())
    # Once a second person joins, all earlier messages get their author's name, and the upstream's cached prompt is
    # lost this once.
    names = len({each.author_id for each in earlier if each.role == Role.USER}) > 1
    attached = AttachedFiles([*earlier, message], chat_model)
    messages = [
        chat
        for each in earlier
        for chat in as_chat_messages(each, chat_model, attached, names=names, tools=bool(tools))
    ]
    if generation.rounds or generation.continues:
        written = blocks_to_continue(message.blocks) if generation.continues else message.blocks
        # Only text at the end of the request can be continued.
        ends_in_text = generation.continues and not by_asking and not ends_in_tools(written)
        messages += split_into_rounds(written, attached, adds_last_images=not ends_in_text)
    if by_asking:
        messages.append(ChatMessage("user", [text_block(CONTINUE_REQUEST)]))
    system = "\n\n".join(filter(None, [conversation.system_prompt.strip(), SEVERAL_PEOPLE if names else ""]))
    request = ChatRequest(
        model=chat_model.model_id,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=decide_tool_choice(generation, tools),
        takes_effort=chat_model.takes_effort,
        user=make_pseudonym(generation.asked_by),
        remarks=(*attached.remarks, *describe_trimming(path, earlier), *describe_lost_thinking(earlier, chat_model)),
        **parameters_of(conversation),
    )
    return fit(request, ProtocolName(chat_model.provider.protocol), chat_model.limits)


def decide_tool_choice(generation: Generation, tools: Sequence[Block]) -> str:
    """Applies the choice only to the first call of an answer: a model forced to use tools would never end."""
    choice = generation.conversation.tool_choice
    is_known = choice in ("auto", "any", "none") or any(tool["name"] == choice for tool in tools)
    if not is_known or (choice != "none" and (generation.rounds or generation.continues)):
        return "auto"
    return choice


def split_into_rounds(
    blocks: Iterable[Block], attached: AttachedFiles, *, adds_last_images: bool = True
) -> list[ChatMessage]:
    """Splits an answer into messages: the results of each round of tool calls are a user message of their own.

    The answer's images follow in a user message, since servers accept none in an assistant's message. Without
    `adds_last_images`, those after the last results are left out.
    """
    messages: list[ChatMessage] = []
    images: list[Block] = []

    def add(role: Literal["user", "assistant"], added: list[Block]) -> None:
        if messages and messages[-1].role == role:
            messages[-1] = ChatMessage(role, [*messages[-1].blocks, *added])
        else:
            messages.append(ChatMessage(role, added))

    for block in blocks:
        if block.get("type") == "image":
            images += [attached.expand(block)]
        elif block.get("type") == "tool_result":
            add("user", [attached.expand(block)])
        else:
            if images and messages and messages[-1].role == "user":
                add("user", [text_block(IMAGES_ABOVE), *images])
                images = []
            add("assistant", [block])
    if images and adds_last_images:
        add("user", [text_block(IMAGES_ABOVE), *images])
    return messages


def build_next_request(path: Path, chat_model: ChatModel, tools: Sequence[Block] = ()) -> ChatRequest:
    """Builds the next request at the end of a path. A single character stands for the message not yet written."""
    owed = Generation(conversation=path.conversation, chat_model=chat_model)
    request = build_request(owed, Message(pk=BEYOND_ALL, branch=path.branch), tools)
    return replace(request, messages=[*request.messages, ChatMessage("user", [text_block("?")])])


def describe_trimming(path: Path, messages: list[Message]) -> list[str]:
    if not messages or not messages[0].memory_begins:
        return []
    count = path.messages.filter(pk__lt=messages[0].pk).count()
    return [f"The oldest {count} messages were left out to fit the model’s context window."] if count else []


def describe_lost_thinking(messages: list[Message], reader: ChatModel) -> list[str]:
    """Returns a remark if this reply is the first of another model, which cannot read the thinking so far."""
    answers = [message for message in messages if message.role == Role.ASSISTANT]
    if not answers or not is_foreign(answers[-1], reader):
        return []
    foreign = (block for answer in answers if is_foreign(answer, reader) for block in answer.blocks)
    if all(is_text(block) or block.get("type") in TOOL_TYPES or reference_in(block) for block in foreign):
        return []
    return [f"The thinking of earlier models was not sent to {reader}, which cannot read it."]


def takes_prefill(request: ChatRequest, chat_model: ChatModel) -> bool:
    """Whether the model continues the request's last message if it is its own. Other models begin a new one."""
    return chat_model.provider.protocol == ProtocolName.ANTHROPIC and not request.thinks


def find_problems(request: ChatRequest, chat_model: ChatModel) -> list[str]:
    """Returns a sentence for each parameter that the model's protocol or limits do not allow."""
    return [
        problem.message for problem in check(request, ProtocolName(chat_model.provider.protocol), chat_model.limits)
    ]


def parameters_of(conversation: Conversation) -> dict[str, Any]:
    """Returns the conversation's settings as fields of ChatRequest."""
    return {
        "max_tokens": conversation.max_tokens,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
        "presence_penalty": conversation.presence_penalty,
        "frequency_penalty": conversation.frequency_penalty,
        "stop_sequences": tuple(conversation.stop_sequences),
        "thinking_budget": conversation.thinking_budget if conversation.thinking == ThinkingMode.BUDGET else None,
        "thinks_adaptively": conversation.thinking == ThinkingMode.ADAPTIVE,
        "thinking_is_off": conversation.thinking == ThinkingMode.OFF,
        "reasoning_effort": Effort(conversation.reasoning_effort) if conversation.reasoning_effort else None,
    }


def as_chat_messages(
    message: Message, reader: ChatModel, attached: AttachedFiles, *, names: bool, tools: bool
) -> list[ChatMessage]:
    """Returns no messages if nothing can be sent, such as for a reply that failed before its first word.

    Without `tools` in the request, servers refuse calls of them too.
    """
    sent = list(sendable(message.blocks, foreign=is_foreign(message, reader), tools=tools))
    if not sent:
        return []
    if message.role == Role.ASSISTANT:
        return split_into_rounds(sent, attached)
    blocks = [attached.expand(block) for block in sent]
    if names:
        # The name comes first, before attachments too. Text that comes first shares a block with it.
        name = f"{message.author or 'Former user'}:"
        if is_text(sent[0]):
            blocks[0] = text_block(f"{name} {blocks[0]['text']}")
        else:
            blocks.insert(0, text_block(name))
    return [ChatMessage("user", blocks)]


def is_foreign(message: Message, reader: ChatModel) -> bool:
    """Whether another model wrote the message. Its signatures mean nothing to this one."""
    if message.role == Role.USER:
        return False
    writer = message.generation.chat_model_id if message.generation else None
    return writer is None or writer != reader.pk


def sendable(blocks: Iterable[Block], *, foreign: bool, tools: bool) -> Iterable[Block]:
    """Yields text that is not blank, files, and, with `tools`, their calls. Other blocks go only to their own model."""
    for each in blocks:
        block = strip_for_others(each) if foreign else each
        is_blank = is_text(each) and not each["text"].strip()
        if block and not is_blank and (tools or block.get("type") not in TOOL_TYPES):
            yield block
