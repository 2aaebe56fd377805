"""Links: which addresses are safe, bare addresses in a text, and images, which are named but never loaded."""

import re
from typing import Final
from urllib.parse import urlsplit

from conversations.markdown.sanitise import escape_attribute, mask
from conversations.markdown.spaceless import PUNCTUATION

_SAFE = re.compile(
    r"https?://(?:[^\s/?#@\"'<>]*@)?(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?(?:[/?#]|\Z)|mailto:[^\s]", re.IGNORECASE
)
_BARE = re.compile(rf"(?<![A-Za-z0-9_@/.-])https?://[^\s<>\"`{PUNCTUATION}]+", re.IGNORECASE)
LONGEST: Final = 8_000
"""Characters of a link's address, and of its title. Browsers and servers refuse longer addresses."""
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def is_safe(url: str) -> bool:
    """Whether a link may use this address: an absolute http, https or mailto one of reasonable length."""
    return len(url) <= LONGEST and _SAFE.match(url) is not None


def open_link(url: str, title: str = "") -> str:
    """Returns the start tag of a link to a safe address. The sanitiser adds `rel` and `target`."""
    href = escape_attribute(url)
    return f'<a href="{href}" title="{escape_attribute(title[:LONGEST])}">' if title else f'<a href="{href}">'


def link_addresses(text: str) -> str:
    """Returns escaped text in which bare http and https addresses are links."""
    pieces: list[str] = []
    done = 0
    for found in _BARE.finditer(text):
        url = _strip_punctuation(found[0])
        if is_safe(url):
            pieces += mask(text[done : found.start()]), open_link(url), mask(url), "</a>"
            done = found.start() + len(url)
    pieces.append(mask(text[done:]))
    return "".join(pieces)


def render_image(url: str, alt: str, *, in_link: bool) -> str:
    """Returns an image as its name. Loading it would tell a stranger who reads the conversation, and when."""
    name = mask(alt.strip() or "Image")
    if in_link or not is_safe(url):
        return f'<span class="image">{name} <small>image, not shown</small></span>'
    host = mask(_find_host(url))
    return f'<a class="image" href="{escape_attribute(url)}">{name} <small>image on {host}</small></a>'


def _find_host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "another site"
    except ValueError:
        return "another site"


def _strip_punctuation(url: str) -> str:
    """Removes the punctuation of the sentence around an address. A bracket stays if it was opened in the address."""
    end = len(url)
    depth = {opener: url.count(opener) - url.count(closer) for closer, opener in _CLOSERS.items()}
    while end and (last := url[end - 1]):
        if last in _CLOSERS and depth[_CLOSERS[last]] < 0:
            depth[_CLOSERS[last]] += 1
        elif last not in "?!.,:;*_~'|":
            break
        end -= 1
    return url[:end]
