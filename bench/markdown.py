"""Measures the cost of streaming Markdown: microseconds and bytes per token, by kind and length of the text.

    python -m bench.markdown

A token has 4 characters and a frame 3 tokens. The figures are of the fastest of five runs. They include colouring of
code, whose cache is emptied before each run. `whole` is one rendering of the complete text.
"""

import time
from collections.abc import Callable

from conversations.markdown import StreamingMarkdown, render
from conversations.markdown.code import colour

TOKEN, FRAME, RUNS = 4, 12, 5
PROSE = (
    "The answer depends on **what you measure**, and on when: a cache that is warm hides most of it. Look at "
    "`time.perf_counter` first; [the notes](https://example.org/notes) say why. Most of the rest is plain prose that "
    "goes on for a while, as answers do, with a comma here and there but little else to mark it. "
)
TEXTS: dict[str, Callable[[int], str]] = {
    "paragraphs": lambda size: repeat(f"{PROSE}\n\n", size),
    "one list": lambda size: repeat(
        "- **Item** with a text of some words and `code`, as lists in answers have\n", size
    ),
    "one block of code": lambda size: f"```python\n{number_lines(size)}```\n",
    "one table": lambda size: (
        "| a | b | c |\n|---|--:|---|\n" + repeat("| a cell | 3.14 | and **another** `one` |\n", size)
    ),
    "one paragraph": lambda size: repeat(PROSE, size),
}


def repeat(text: str, size: int) -> str:
    return (text * (size // len(text) + 1))[:size]


def number_lines(size: int) -> str:
    """Returns code whose lines all differ, so that the cache does not help."""
    line = "    total_{0} = compute(value, step={0}) if value else None  # step {0}\n"
    return "".join(line.format(number) for number in range(size // len(line)))


def time_stream(text: str) -> tuple[float, int]:
    """Streams the text. Returns the seconds and the bytes that it takes."""
    colour.cache_clear()
    stream, sent = StreamingMarkdown(), 0
    start = time.perf_counter()
    for at in range(0, len(text), FRAME):
        for patch in stream.feed(text[at : at + FRAME]):
            sent += len(patch.html.encode())
    return time.perf_counter() - start, sent


def time_rendering(text: str) -> float:
    colour.cache_clear()
    start = time.perf_counter()
    render(text)
    return time.perf_counter() - start


def main() -> None:
    print(f"{'':18} {'tokens':>7} {'µs/token':>9} {'bytes/token':>12} {'whole, ms':>10}")
    for name, make in TEXTS.items():
        for tokens in (1_000, 4_000, 8_000):
            text = make(tokens * TOKEN)
            seconds, sent = min(time_stream(text) for _ in range(RUNS))
            whole = min(time_rendering(text) for _ in range(RUNS))
            print(f"{name:18} {tokens:7} {seconds / tokens * 1e6:9.1f} {sent / tokens:12.0f} {whole * 1e3:10.2f}")
    paragraph = PROSE[:300]
    start = time.perf_counter()
    for _ in range(2_000):
        render(paragraph)
    print(f"\none paragraph of 300 characters, whole: {(time.perf_counter() - start) / 2_000 * 1e6:.0f} µs")


if __name__ == "__main__":
    main()
