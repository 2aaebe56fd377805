"""Makes a conversation acceptable to model servers: alternating roles, nothing empty, every tool call answered."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from upstreams.chat import Block, ChatMessage, Role
from upstreams.reply import TAGS

type Turn = tuple[Role, list[Block]]


def alternate_turns(messages: Sequence[ChatMessage], keep: Callable[[Block], Block | None]) -> list[Turn]:
    """Turns the messages into alternating turns that begin with the user.

    `keep` returns the block to send, or None to leave it out. Empty messages are dropped, and adjacent ones of the
    same role are merged. Tool calls without results and results without calls are left out: servers refuse both.
    """
    sent = _merge((message.role, [block for raw in message.blocks if (block := keep(raw))]) for message in messages)
    if sent and sent[0][0] == "assistant":
        sent = sent[1:]
    return _merge(_pair_tools(sent))


def find_open_loop(messages: Sequence[ChatMessage]) -> int:
    """The position after the last question. What follows it is a tool loop that is still open."""
    questions = [
        position + 1
        for position, message in enumerate(messages)
        if message.role == "user" and not any(block.get("type") == "tool_result" for block in message.blocks)
    ]
    return max(questions, default=0)


def restore_tagged_thinking(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Puts thinking that was found in the text back into it, beside calls in an open tool loop.

    The templates of models keep it there. They remove it from earlier answers, where it is left out.
    """
    loop = find_open_loop(messages)
    return [
        message
        if message.role == "user"
        else ChatMessage(message.role, list(_restore_tags(message.blocks, is_open=position >= loop)))
        for position, message in enumerate(messages)
    ]


def _restore_tags(blocks: Sequence[Block], *, is_open: bool) -> Iterator[Block]:
    is_restored = is_open and any(block.get("type") == "tool_use" for block in blocks)
    pending = ""
    for block in blocks:
        if TAGS in block and block.get("type") == "thinking":
            if is_restored and (tags := block[TAGS]):
                before, after = tags
                pending += f"{before}{block['thinking']}{after}"
            continue
        if pending and block.get("type") == "text":
            block = {**block, "text": pending + str(block.get("text"))}
        elif pending:
            yield {"type": "text", "text": pending}
        pending = ""
        yield block
    if pending:
        yield {"type": "text", "text": pending}


def has_text(block: Block) -> bool:
    """Whether a text block has more than white space. Servers refuse empty and blank text."""
    text = block.get("text")
    return isinstance(text, str) and not text.isspace() and text != ""


def is_reasoning(block: Block) -> bool:
    """Whether a block is unsigned thinking of a Chat Completions server, which accepts it only beside other content."""
    return bool(block.get("reasoning_field"))


def _merge(messages: Iterable[Turn]) -> list[Turn]:
    merged: list[Turn] = []
    for role, blocks in messages:
        if not blocks:
            continue
        if merged and merged[-1][0] == role:
            merged[-1] = (role, merged[-1][1] + blocks)
        else:
            merged.append((role, blocks))
    return merged


def _pair_tools(sent: list[Turn]) -> Iterable[Turn]:
    for position, (role, blocks) in enumerate(sent):
        if role == "assistant":
            following = sent[position + 1][1] if position + 1 < len(sent) else []
            answered = _collect_ids(following, "tool_result", "tool_use_id")
            kept = [b for b in blocks if b.get("type") != "tool_use" or b.get("id") in answered]
            yield role, kept if any(not is_reasoning(b) for b in kept) else []
        else:
            called = _collect_ids(sent[position - 1][1], "tool_use", "id") if position else set()
            results = [b for b in blocks if b.get("type") == "tool_result" and b.get("tool_use_id") in called]
            # The results must come first in the message that answers the calls.
            yield role, results + [b for b in blocks if b.get("type") != "tool_result"]


def _collect_ids(blocks: Sequence[Block], kind: str, field: str) -> set[str]:
    return {str(block.get(field)) for block in blocks if block.get("type") == kind}
