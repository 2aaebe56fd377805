"""Formats figures in every template: `{{ cost|money }}`, `{{ count|tokens }}`, `{% currency %}`."""

from django import template
from django.conf import settings

from chatsite.values import figures
from chatsite.values.money import money

register = template.Library()

register.filter("duration", figures.duration)
register.filter("tokens", figures.tokens)
register.filter("thousands", figures.thousands)
register.filter("size", figures.size)
register.filter("money", money)


@register.simple_tag
def currency() -> str:
    """The ISO code of the currency of all prices."""
    return str(settings.CURRENCY)
