"""Makes a conversation acceptable to model servers: alternating roles, nothing empty, every tool call answered."""

from collections.abc import Callable, Iterable, Sequence

from upstreams.chat import Block, ChatMessage, Role

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
