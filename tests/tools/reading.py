"""Reads a tool's result as a model does."""

from tools.results import ToolResult


def text_of(result: ToolResult) -> str:
    return "\n\n".join(block["text"] for block in result.content if block["type"] == "text")
