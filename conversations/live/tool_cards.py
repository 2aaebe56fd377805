"""A tool call as people see it: its input, its progress and its result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conversations.models import Generation, State
from conversations.prompt.toolbox import is_refusal
from upstreams.reply import CUT_REASONS
from upstreams.wire.tolerant_json import dump_indented

LONGEST_SHOWN = 20_000
"""Characters of a result that a page shows. The model gets all of it."""


class Progress(StrEnum):
    WRITING = "writing"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    CUT = "cut"
    """The answer reached its length limit in the middle of the call."""
    DROPPED = "dropped"
    """The answer ended before the tool ran."""


@dataclass(frozen=True, slots=True)
class ToolCard:
    """`input` is JSON as text, incomplete while it is being written. `texts` and `images` are the result."""

    use_id: str
    name: str
    origin: str
    progress: Progress
    input: str
    texts: list[str] = field(default_factory=list)
    images: list[Mapping[str, Any]] = field(default_factory=list)
    is_cut: bool = False
    note: str = ""
    """The progress that the tool has reported, in words."""


def build_card(
    use: Mapping[str, Any],
    progress: Progress,
    result: Mapping[str, Any] | None = None,
    input: str = "",
    note: str = "",
) -> ToolCard:
    """Returns the card of a `tool_use` block and its `tool_result`. Pass `input` while it is being written."""
    origin, _, name = str(use.get("name", "")).rpartition("__")
    content = (result or {}).get("content") or []
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    return ToolCard(
        use_id=str(use.get("id", "")),
        name=name.replace("_", " ").strip() or "tool",
        origin=origin.replace("-", " "),
        progress=progress,
        input=input or format_input(use),
        texts=[text[:LONGEST_SHOWN] for text in texts],
        images=[block for block in blocks if block.get("type") == "image"],
        is_cut=any(len(text) > LONGEST_SHOWN for text in texts),
        note=note,
    )


def format_input(use: Mapping[str, Any]) -> str:
    """Returns the input for people to read, "" if there is none."""
    if raw := use.get("raw_input"):
        return str(raw)
    return dump_indented(use["input"]) if use.get("input") else ""


def build_cards(blocks: Iterable[Mapping[str, Any]], generation: Generation | None) -> dict[str, ToolCard]:
    """Returns the cards of a message that is not growing, by the ids of the calls."""
    blocks = list(blocks)
    results = {block.get("tool_use_id"): block for block in blocks if block.get("type") == "tool_result"}
    uses = [block for block in blocks if block.get("type") == "tool_use"]
    return {
        str(use.get("id")): build_card(
            use, progress_of(use, results.get(use.get("id")), generation), results.get(use.get("id"))
        )
        for use in uses
    }


def progress_of(use: Mapping[str, Any], result: Mapping[str, Any] | None, generation: Generation | None) -> Progress:
    if result is not None:
        return outcome_of(result)
    if generation is None or not generation.is_unfinished:
        is_cut = generation is not None and generation.stop_reason in CUT_REASONS and "raw_input" in use
        return Progress.CUT if is_cut else Progress.DROPPED
    if generation.state != State.WAITING:
        return Progress.RUNNING
    asked = {each.use_id for each in generation.tool_approvals.all() if not each.decision}
    return Progress.WAITING if use.get("id") in asked else Progress.RUNNING


def outcome_of(result: Mapping[str, Any]) -> Progress:
    """Returns how the call with this result ended."""
    if not result.get("is_error"):
        return Progress.DONE
    return Progress.REFUSED if is_refusal(result) else Progress.FAILED
