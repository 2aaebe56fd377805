"""How models and servers write thinking into text: tags in many spellings, and the harmony format."""

import re
from typing import Final

_NAMES: Final = ("think", "thinking", "thought", "thoughts", "reason", "reasoning", "seed:think")
PAIRS: Final = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",
}
"""The opening and closing tags, in lower case."""
END_OF_ANALYSIS: Final = "<|end|><|start|>assistant<|channel|>final<|message|>"
UNOPENED: Final = (
    *("</think>", "</thinking>", "</thought>", "</thoughts>", "</reasoning>", "</seed:think>", "[/think]", "◁/think▷"),
    END_OF_ANALYSIS,
)
"""Closing tags that count without an opening one: some templates write the opening tag into the prompt."""
HEADERS: Final = ("<|channel|>", "<|start|>")
"""Tags that begin a message in the harmony format, which names the channel of each message."""
MESSAGE: Final = "<|message|>"
BARE_HEADERS: Final = (
    *("analysis<|message|>", "commentary<|message|>", "final<|message|>"),
    *("assistant<|channel|>", "assistant<|message|>"),
)
"""How a harmony reply begins if its template has written the first tag into the prompt."""
SENTENCE_ENDS: Final = "\n.!?…。！？"
CHANNEL: Final = "analysis"
BARE_CHANNEL: Final = re.compile(rf"{CHANNEL}(?:(?=[^\W\d_a-z])|[ \t]*\r?(\n))")
"""How one begins if the server has removed the tags: the name of the channel, and a sentence or the end of the line."""
MAYBE_BARE_CHANNEL: Final = re.compile(rf"{CHANNEL}[ \t]*\r?")
BARE_CHANNEL_END: Final = re.compile(
    r"assistant(?:\s{0,2}\n\s{0,2})?final|\n[ \t]{0,4}final[ \t]{0,4}\r?\n|<\|(?:end|return|call|channel|start)\|>"
)
LONGEST_CHANNEL_END: Final = 24
"""Characters of the longest end of a channel whose tags are removed."""
ENDS: Final = ("<|end|>", "<|return|>", "<|call|>", *HEADERS)
"""Tags that end a message in the harmony format."""
LONGEST_HEADER: Final = 300
"""Characters of the header of a harmony message. What is longer is text."""
MARKS: Final = re.compile(r"[<\[◁]")
"""The characters that tags begin with."""
OPENING: Final = re.compile("|".join(map(re.escape, PAIRS)), re.IGNORECASE)
LONGEST_OPENING: Final = max(map(len, PAIRS))
WRAPPERS: Final = ("<|begin_of_solution|>", MESSAGE)
"""Tags that may come between the thinking and the text."""
