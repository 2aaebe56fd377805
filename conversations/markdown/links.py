"""Where a text may point: the schemes that survive, bare addresses, and pictures that are only named."""

import re
from urllib.parse import urlsplit

from conversations.markdown.sanitise import escape, quotable

_SAFE = re.compile(
    r"https?://(?:[^\s/?#@\"'<>]*@)?(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?(?:[/?#]|\Z)|mailto:[^\s]", re.IGNORECASE
)
_BARE = re.compile(r"(?<![\w@/.-])https?://[^\s<>\"`]+", re.IGNORECASE)
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def is_safe(url: str) -> bool:
    """Whether a link may lead there: an absolute http, https or mailto address."""
    return _SAFE.match(url) is not None


def open_link(url: str, title: str = "") -> str:
    """The start tag of a link to a safe address; its rel and target are set by the sanitiser."""
    return f'<a href="{quotable(url)}" title="{quotable(title)}">' if title else f'<a href="{quotable(url)}">'


def with_links(text: str) -> str:
    """Escaped text in which bare http and https addresses are links."""
    pieces: list[str] = []
    done = 0
    for found in _BARE.finditer(text):
        url = _without_punctuation(found[0])
        if is_safe(url):
            pieces += escape(text[done : found.start()]), open_link(url), escape(url), "</a>"
            done = found.start() + len(url)
    pieces.append(escape(text[done:]))
    return "".join(pieces)


def image(url: str, alt: str, *, linked: bool) -> str:
    """A picture as its name: fetching it would tell a stranger who reads here, and when."""
    name = escape(alt.strip() or "Image")
    if linked or not is_safe(url):
        return f'<span class="image">{name} <small>image, not shown</small></span>'
    return f'<a class="image" href="{quotable(url)}">{name} <small>image on {escape(_host(url))}</small></a>'


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "another site"
    except ValueError:
        return "another site"


def _without_punctuation(url: str) -> str:
    """The address without the punctuation of the sentence around it; a bracket stays if it was opened inside."""
    end = len(url)
    depth = {opener: url.count(opener) - url.count(closer) for closer, opener in _CLOSERS.items()}
    while end and (last := url[end - 1]):
        if last in _CLOSERS and depth[_CLOSERS[last]] < 0:
            depth[_CLOSERS[last]] += 1
        elif last not in "?!.,:;*_~'|":
            break
        end -= 1
    return url[:end]
