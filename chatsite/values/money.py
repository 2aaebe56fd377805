"""Money in the site's currency."""

from decimal import Decimal

from django.conf import settings

from chatsite.values import figures


def money(amount: Decimal) -> str:
    return figures.money(amount, settings.CURRENCY)
