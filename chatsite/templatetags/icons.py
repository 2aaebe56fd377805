"""`{% icon "pencil" %}`: a Lucide icon as inline SVG, rendered once and cached."""

from functools import lru_cache

from django import template
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 18) -> SafeString:
    """Returns an icon hidden from screen readers, so its control needs a name."""
    return SafeString(lucide(name, size=size, stroke_width="1.75", **{"class": "icon", "aria-hidden": "true"}))
