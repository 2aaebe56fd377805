"""`{% icon "pencil" %}`: a Lucide icon as inline SVG, rendered once and cached."""

from functools import cache, lru_cache
from importlib.resources import files
from threading import Lock
from zipfile import ZipFile

from django import template
from django.utils.safestring import SafeString

register = template.Library()

ATTRIBUTES = (
    'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" '
    'stroke-linejoin="round" class="icon" aria-hidden="true"'
)

_reading = Lock()
"""The file has one position. A thread that moves it meanwhile would make another's icon look damaged."""


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 18) -> SafeString:
    """Returns an icon hidden from screen readers, so its control needs a name."""
    with _reading:
        _, _, svg = open_icons().read(f"{name}.svg").decode().partition("<svg")
    _, _, shapes = svg.partition(">")
    drawn = "".join(map(str.strip, shapes.split("\n")))
    return SafeString(f'<svg width="{size}" height="{size}" {ATTRIBUTES}>{drawn}')


@cache
def open_icons() -> ZipFile:
    """Opens the file of all icons and leaves it open: opening it takes 20 ms, and later no descriptor may be free."""
    return ZipFile(str(files("lucide") / "lucide.zip"))
