"""Builds examples to paste that use a key, for curl and for the two SDKs."""

import json
import shlex
from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from pygments.lexers.python import PythonLexer
from pygments.lexers.shell import BashLexer
from pygments.token import Comment, Keyword, Number, String, _TokenType

from accounts.keys import ApiKey

COLOURS: Final = {Comment: "c", String: "s", Keyword: "k", Number: "m"}
_LEXERS: Final = {"python": PythonLexer(), "sh": BashLexer()}


@dataclass(frozen=True, slots=True)
class Example:
    slug: str
    title: str
    language: str
    source: str

    @property
    def coloured(self) -> SafeString:
        """The source as HTML with the code classes of the style sheet."""
        tokens = _LEXERS[self.language].get_tokens(self.source)
        return format_html_join("", '<span class="{}">{}</span>', ((_colour(kind), text) for kind, text in tokens))


def build_examples(site: str, model_id: str, key: ApiKey | None) -> list[Example]:
    """`site` is the address of the site, without a slash at the end."""
    return [
        Example("curl", "curl", "sh", _curl(site, model_id, key)),
        Example("anthropic", "Anthropic SDK", "python", _anthropic(site, model_id)),
        Example("openai", "OpenAI SDK", "python", _openai(site, model_id)),
    ]


def export_line(key: ApiKey | None) -> str:
    """The shell line that gives the secret to a program."""
    called = f"  # {' '.join(key.name.split())}" if key else ""
    return f'export CHATSITE_API_KEY="{key.beginning if key else "cs-"}…"{called}'


def _curl(site: str, model_id: str, key: ApiKey | None) -> str:
    body = f"""{{
    "model": {_literal(model_id)},
    "max_tokens": 1024,
    "messages": [{{"role": "user", "content": "Hello"}}]
  }}"""
    # Quoted as a whole, because upstreams choose the names of models and people paste this line into a shell.
    return (
        f"{export_line(key)}\n\n"
        f"curl {shlex.quote(site + '/v1/messages')} \\\n"
        '  -H "x-api-key: $CHATSITE_API_KEY" \\\n'
        '  -H "anthropic-version: 2023-06-01" \\\n'
        '  -H "content-type: application/json" \\\n'
        f"  -d {shlex.quote(body)}\n"
    )


def _anthropic(site: str, model_id: str) -> str:
    return f"""\
import os
from anthropic import Anthropic

client = Anthropic(
    base_url={_literal(site)},  # without /v1
    api_key=os.environ["CHATSITE_API_KEY"],
)
message = client.messages.create(
    model={_literal(model_id)},
    max_tokens=1024,
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(message.content[0].text)
"""


def _openai(site: str, model_id: str) -> str:
    return f"""\
import os
from openai import OpenAI

client = OpenAI(
    base_url={_literal(site + "/v1")},  # with /v1
    api_key=os.environ["CHATSITE_API_KEY"],
)
completion = client.chat.completions.create(
    model={_literal(model_id)},
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(completion.choices[0].message.content)
"""


def _colour(kind: _TokenType) -> str:
    return next((colour for general, colour in COLOURS.items() if kind in general), "")


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
