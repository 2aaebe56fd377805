"""A conversation made acceptable to a model server: roles in turn, nothing empty, tools answered."""

from collections.abc import Callable, Iterable, Sequence

from upstreams.chat import Block, ChatMessage, Role

type Turn = tuple[Role, list[Block]]


def turns(messages: Sequence[ChatMessage], kept: Callable[[Block], Block | None]) -> list[Turn]:
    """The messages as alternating turns that begin with the user.

    `kept` gives the block to send, or None to leave it out. Empty messages go, those
    of one role that then stand together become one, and a tool call without its
    result, or a result without its call, is left out: servers refuse both.
    """
    sent = _merged((message.role, [block for raw in message.blocks if (block := kept(raw))]) for message in messages)
    if sent and sent[0][0] == "assistant":
        sent = sent[1:]
    return _merged(_with_paired_tools(sent))


def has_text(block: Block) -> bool:
    """Whether a text block says anything: servers refuse empty and all-blank text."""
    text = block.get("text")
    return isinstance(text, str) and not text.isspace() and text != ""


def _merged(messages: Iterable[Turn]) -> list[Turn]:
    merged: list[Turn] = []
    for role, blocks in messages:
        if not blocks:
            continue
        if merged and merged[-1][0] == role:
            merged[-1] = (role, merged[-1][1] + blocks)
        else:
            merged.append((role, blocks))
    return merged


def _with_paired_tools(sent: list[Turn]) -> Iterable[Turn]:
    for position, (role, blocks) in enumerate(sent):
        if role == "assistant":
            following = sent[position + 1][1] if position + 1 < len(sent) else []
            answered = _ids(following, "tool_result", "tool_use_id")
            yield role, [b for b in blocks if b.get("type") != "tool_use" or b.get("id") in answered]
        else:
            called = _ids(sent[position - 1][1], "tool_use", "id") if position else set()
            results = [b for b in blocks if b.get("type") == "tool_result" and b.get("tool_use_id") in called]
            # The results must come first in the message that answers the calls.
            yield role, results + [b for b in blocks if b.get("type") != "tool_result"]


def _ids(blocks: Sequence[Block], kind: str, field: str) -> set[str]:
    return {str(block.get(field)) for block in blocks if block.get("type") == kind}
