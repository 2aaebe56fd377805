"""Removes addresses from the words of upstreams and tool servers before people other than administrators read them.

Only what is surely harmless stays: plain words, numbers, names of models and of fields. A list of what to remove would
never be complete.
"""

import re
from typing import Final
from urllib.parse import urlsplit

HIDDEN: Final = "…"

_TOKEN: Final = re.compile(r"[a-z][a-z0-9+.-]*:(?:\\?/){2}[^\s\"'<>]*|[\w.:/\\@%~+*&。．｡-]+", re.IGNORECASE)
# A word, number or version, with one slash at most, and a tag: 4096, qwen2.5:14b, text/plain, meta-llama/Llama-3.1-8B.
_WORD: Final = r"\w[\w+%-]*(?:(?<=\d)\.(?=\d)[\w+%-]+){0,2}"
_NAME: Final = re.compile(rf"{_WORD}(?:/{_WORD})?(?::[\w-]*[^\W\d][\w-]*)?|[^\W\d](?:\.[^\W\d])+")
_ROLES: Final = re.compile(r"(?:(?:system|user|assistant|tool)(?:/|$))+")
"""Templates name the order of roles that they accept: user/assistant/user."""
_DASHED_IP: Final = re.compile(r"\d+-\d+-\d+-\d+")
_FIELDS: Final = frozenset(
    {
        *("body", "content", "function", "functions", "image_url", "input", "input_schema", "json_schema"),
        *("max_tokens", "message", "messages", "metadata", "model", "output", "parameters", "properties", "reasoning"),
        *("request", "response_format", "schema", "source", "stop_sequences", "stream_options", "system", "thinking"),
        *("tool_calls", "tool_choice", "tools"),
    }
)
_MACHINE: Final = (
    r"host|host_?name|server(?:_?name|_hostname)?|addr(?:ess)?|ip|peer|upstream|backend|proxy|socket|node|pod|dns|uri"
)
# Machines often have names of one word, which only the words before them betray.
_ANNOUNCED: Final = re.compile(
    r"\b(?:port|lookup|E(?:NOTFOUND|AI_AGAIN|CONN[A-Z]+|TIMEDOUT|HOSTUNREACH)|not valid for)[\s:='\"#]*$"
    r"|\bresolv(?:e|ing)(?: the)?(?: dns)?(?: host ?name| host| name)?[\s:='\"]*$"
    r"|\b(?:no such|unknown) (?:host|server)[\s:='\"]*$"
    r"|\bhost ?name '?[^.]{0,40} match(?: either of)?[\s'\",]*$"
    rf"|\b(?:{_MACHINE})['\"]?\s*[:='\"][\s'\"]*$"
    r"|\b(?-i:CN|OU|O|DC|L|ST|commonName|organizationName|organizationalUnitName|localityName|DNS|IP Address)"
    r"['\"]?\s*[=,:]\s*['\"]?(?:[^\W_][\w-]*\s+){0,5}$",
    re.IGNORECASE,
)
_WITH_KEY: Final = re.compile(rf"(?:{_MACHINE}):", re.IGNORECASE)
_REACH: Final = 90
"""How far before a word its announcement may begin."""
_NEXT_NUMBER: Final = re.compile(r"['\")\]]*\s*[,:]?\s*:?")


def strip_addresses(words: str) -> str:
    """Replaces addresses, names of machines, ports, paths, files and subjects of certificates by HIDDEN."""
    parts: list[str] = []
    end, was_hidden = 0, False
    for match in _TOKEN.finditer(words):
        gap, token = words[end : match.start()], match[0]
        is_next_number = was_hidden and token.strip(":").isdigit() and bool(_NEXT_NUMBER.fullmatch(gap))
        is_announced = bool(_ANNOUNCED.search(words, max(0, match.start() - _REACH), match.start()))
        was_hidden = ("::" in token or any(map(str.isalnum, token))) and (
            is_next_number or is_announced or not _is_harmless(token, is_tag=gap.endswith("<"))
        )
        parts += gap, _hide(token) if was_hidden else token
        end = match.end()
    return "".join(parts) + words[end:]


def strip_host(words: str, base_url: str) -> str:
    """Replaces the host of this address by HIDDEN, also if its name is one word."""
    host = urlsplit(base_url).hostname
    return re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", HIDDEN, words, flags=re.IGNORECASE) if host else words


def _hide(token: str) -> str:
    """Keeps the punctuation of the sentence."""
    return HIDDEN + token[-1] if token[-1] in ".:" and not token.endswith("::") else HIDDEN


def _is_harmless(token: str, *, is_tag: bool) -> bool:
    bare = token.strip(".:-+%*&")
    if is_tag:
        bare = bare.strip("/")
    if "::" in token or "localhost" in bare.lower() or _DASHED_IP.search(bare) or _WITH_KEY.match(bare):
        return False
    return bool(_NAME.fullmatch(bare) or _ROLES.fullmatch(bare)) or _is_field(bare)


def _is_field(path: str) -> bool:
    """Whether this is the path of a field in a request, such as messages.0.name or thinking.budget_tokens."""
    first, *others = path.split(".")
    is_in_list = bool(others) and others[0].isdigit()
    return first in _FIELDS and all(
        each.isdigit() or each in _FIELDS or (each.isidentifier() and (is_in_list or "_" in each)) for each in others
    )
