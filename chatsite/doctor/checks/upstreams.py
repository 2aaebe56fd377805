"""What is known of the model servers. A connection is tested only when somebody asks for it."""

from collections.abc import Iterator
from typing import Final

from chatsite.doctor.findings import Diagnosis, broken, count, look_at, ok
from upstreams.client.clocks import find_seconds_ahead
from upstreams.models import ChatModel, Provider, ProviderSource

CLOCK_DIFFERENCE: Final = 30.0
"""Seconds. The header has whole seconds, and an answer may take some."""


def check_listings() -> Iterator[Diagnosis]:
    for provider in Provider.objects.filter(is_enabled=True).exclude(source=ProviderSource.DEMO).order_by("name"):
        if provider.listing_error:
            yield look_at(
                f"The models of {provider} could not be listed: {provider.listing_error}",
                "Test the connection, and check the address and the key on the page of the provider.",
            )


def check_clock() -> Iterator[Diagnosis]:
    """Knows something only where answers of model servers have arrived."""
    ahead = find_seconds_ahead()
    if ahead is not None and abs(ahead) > CLOCK_DIFFERENCE:
        yield look_at(
            f"This machine’s clock is {abs(ahead):.0f} seconds {'behind' if ahead > 0 else 'ahead of'} those of model "
            "servers.",
            "Let this machine keep its time with NTP.",
        )


def check_models() -> Iterator[Diagnosis]:
    offered = ChatModel.objects.offered()
    real = offered.exclude(provider__source=ProviderSource.DEMO).count()
    if real:
        yield ok(f"People can use {count(real, 'model')}.")
    elif offered.exists():
        yield look_at("People only get the built-in demo.", "Connect a model server on the page Providers.")
    else:
        yield broken("People have no model to use.", "Connect a model server on the page Providers.")
