"""The replies of the demo model: they say what it is, repeat the question, and explain how to connect a real model."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_ECHOED_CHARACTERS: Final = 400
_TOKEN: Final = re.compile(r"\s*\S{1,6}|\s+")

_THOUGHTS: Final = (
    "Someone is asking the demo model. I know nothing that could answer the question, so I will repeat it, "
    "say what I am, and explain how to connect a real model."
)
_REPLY: Final = """\
Hello! I am the **demo model** that comes with chatsite. I run inside the server, know nothing, \
and only show how an answer appears. You wrote:

{echo}

To get real answers, an administrator can connect a model:

- in the browser, with your name at the lower left, then **Providers**, or
- with environment variables, which the server reads when it starts.

| Server | Protocol | Variables |
| --- | --- | --- |
| Anthropic | Messages | `ANTHROPIC_API_KEY` |
| OpenAI or compatible | Chat Completions | `OPENAI_BASE_URL` and `OPENAI_API_KEY` |
| Ollama on your own machine | Chat Completions | `OPENAI_BASE_URL` |

For Ollama, one line is enough:

```sh
OPENAI_BASE_URL=http://localhost:11434/v1
```

Its models then appear in the list below the message field, and replace the demo model.
"""


def thoughts() -> str:
    return _THOUGHTS


def write_reply(messages: list[Mapping[str, Any]]) -> str:
    """The reply to a conversation. If its last message is the beginning of the reply, only the rest."""
    beginning = ""
    if messages and messages[-1].get("role") == "assistant":
        beginning, messages = _extract_text(messages[-1].get("content")), messages[:-1]
    asked = next((_describe(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
    reply = _REPLY.format(echo=_quote(asked))
    return reply.removeprefix(beginning)


def split_into_tokens(text: str) -> Iterator[str]:
    """Splits the text into pieces of about the size of tokens."""
    return (match.group() for match in _TOKEN.finditer(text))


def _describe(content: object) -> str:
    """The text of a message, and a mark for each attachment."""
    blocks = content if isinstance(content, list) else []
    kinds = [block.get("type") for block in blocks if isinstance(block, dict)]
    attached = [f"[{kind}]" for kind in kinds if kind in ("image", "document")]
    return "\n".join(filter(None, [_extract_text(content), " ".join(attached)]))


def _extract_text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n\n".join(str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text")


def _quote(text: str) -> str:
    text = text.strip()
    if len(text) > _ECHOED_CHARACTERS:
        text = text[:_ECHOED_CHARACTERS].rstrip() + " …"
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or "> (nothing)"
