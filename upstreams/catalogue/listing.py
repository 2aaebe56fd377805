"""Updates a provider's models from the list that its server offers."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.tasks import task
from django.utils import timezone

from chatsite.process.threads import database_sync_to_async
from upstreams.client import ModelListing, list_models
from upstreams.errors import UpstreamError
from upstreams.models import ChatModel, Provider, ProviderSource
from upstreams.models.chat_model import LARGEST_LIMIT, strip_folders
from upstreams.sealing import SealBroken

SMALL_CATALOGUE: Final = 20
"""If a server lists more models than this, new ones are not offered automatically, except the first of a provider."""

LONGEST_ID: Final = 200
WAITS: Final = (0.0, 5.0, 30.0, 120.0)
"""Seconds before each attempt after a start: a local server may start later than we do."""

_FOLLOWED: Final = (
    *("name", "context_window", "max_output_tokens", "sees_images", "reads_pdf"),
    *("supports_thinking", "thinks_adaptively"),
)
_NOT_FOR_CHAT: Final = ("embed", "rerank", "whisper", "tts", "moderation", "dall-e")


async def refresh(provider: Provider) -> None:
    """Stores the server's models, or why they cannot be listed, and updates `provider` as well."""
    listings: Sequence[ModelListing] | None = None
    try:
        listings = await list_models(provider.build_endpoint())
    except UpstreamError as failure:
        provider.listing_error = failure.summary
    except SealBroken as failure:
        provider.listing_error = str(failure)
    else:
        provider.listing_error = ""
    provider.listed_at = timezone.now()
    await database_sync_to_async(_store)(provider, listings)


@task()
async def refresh_unlisted() -> None:
    """Lists the models of enabled providers whose models have never been listed or failed to be. Run it at every start.

    It needs only a running loop: `await refresh_unlisted.aenqueue()`.
    """
    waiting = Provider.objects.filter(Q(listed_at=None) | ~Q(listing_error=""), is_enabled=True)
    for wait in WAITS:
        await asyncio.sleep(wait)
        providers = [provider async for provider in waiting.exclude(source=ProviderSource.DEMO)]
        if not providers:
            return
        await asyncio.gather(*map(refresh, providers))


@transaction.atomic
def _store(provider: Provider, listings: Sequence[ModelListing] | None) -> None:
    current = Provider.objects.select_for_update().filter(
        pk=provider.pk, base_url=provider.base_url, sealed_key=provider.sealed_key
    )
    # The answer is useless if the provider has been deleted or now names another server.
    if not current.update(listed_at=provider.listed_at, listing_error=provider.listing_error) or listings is None:
        return
    known = {model.model_id: model for model in provider.chat_models.all()}
    listed = {listing.id: listing for listing in listings if len(listing.id) <= LONGEST_ID}
    provider.chat_models.exclude(model_id__in=listed).update(is_listed=False)
    is_small = len(listed) <= SMALL_CATALOGUE
    fresh: list[ChatModel] = []
    for model_id, listing in listed.items():
        if model_id not in known:
            is_enabled = is_small and _is_for_chat(model_id)
            fresh.append(ChatModel(provider=provider, model_id=model_id, is_enabled=is_enabled))
        (known.get(model_id) or fresh[-1]).follow_listing(_read_fields(listing))
    _ensure_one_offered(fresh, known.values())
    ChatModel.objects.bulk_create(fresh)
    updated = [known[model_id] for model_id in listed if model_id in known]
    ChatModel.objects.bulk_update(updated, [*_FOLLOWED, "as_listed", "is_listed"])


def _ensure_one_offered(fresh: Sequence[ChatModel], known: Collection[ChatModel]) -> None:
    """Makes a new provider offer at least one model, whatever it lists."""
    if fresh and not known and not any(model.is_enabled for model in fresh):
        next((model for model in fresh if _is_for_chat(model.model_id)), fresh[0]).is_enabled = True


def _is_for_chat(model_id: str) -> bool:
    return not any(word in model_id.lower() for word in _NOT_FOR_CHAT)


def _read_fields(listing: ModelListing) -> dict[str, Any]:
    limits = {
        name: value if value is not None and 0 < value <= LARGEST_LIMIT else None
        for name, value in asdict(listing).items()
        if name in ("context_window", "max_output_tokens")
    }
    abilities = {"sees_images": listing.sees_images, "reads_pdf": listing.reads_pdf}
    kinds = {"supports_thinking": listing.supports_thinking, "thinks_adaptively": listing.thinks_adaptively}
    thinking = {name: said for name, said in kinds.items() if said is not None}
    return {"name": strip_folders(listing.display_name or listing.id)[:200], **limits, **abilities, **thinking}
