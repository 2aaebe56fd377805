"""`{% icon "pencil" %}`: a Lucide icon as inline SVG, drawn once and remembered."""

from functools import lru_cache

from django import template
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 18) -> SafeString:
    """The icon alone says nothing to a screen reader; whoever uses it names the control."""
    return SafeString(lucide(name, size=size, stroke_width="1.75", **{"class": "icon", "aria-hidden": "true"}))
