"""A conversation between two people with a row for every placeholder in an address of the site."""

from types import SimpleNamespace

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.timezone import now

from accounts.models import ApiKey, User
from chatsite.models import ErrorGroup
from conversations.models import Generation, Message, Path, State
from conversations.models.attachment import THUMBNAIL
from conversations.verbs import turns
from conversations.verbs.writing import add_turn
from ledger.models import Budget, RateLimit
from tests.routes import address
from tools.models import ToolServer
from upstreams.models import ChatModel, Provider


def make_place(ada: User, ben: User) -> SimpleNamespace:
    """Ada's conversation with Ben and a model, and a row for every placeholder in an address."""
    provider = Provider.objects.create(name="Testing", protocol="anthropic", base_url="http://127.0.0.1:9")
    model = ChatModel.objects.create(provider=provider, model_id="test-model", is_default=True)
    server = ToolServer.objects.create(name="Testing", url="http://127.0.0.1:9/mcp")
    tool = server.tools.create(name="echo", wire_name="testing__echo")
    conversation = turns.begin(ada, title="Between us")
    conversation.participants.create(user=ben)
    generation = add_turn(Path.through(conversation), ada, "A secret", model)
    Generation.objects.update(state=State.COMPLETE)
    Message.objects.filter(pk=generation.message_id).update(blocks=[{"type": "text", "text": "Another secret"}])
    attachment = conversation.attachments.create(
        owner=ada, message=generation.message.parent, stored="secret", size=6, width=1, height=1
    )
    for part in ("", THUMBNAIL):
        default_storage.save(attachment.stored + part, ContentFile(b"secret"))
    key = ApiKey(person=ada, name="A secret program")
    secret = key.renew_secret()
    key.save()
    return SimpleNamespace(
        key=key,
        secret=secret,
        budget=Budget.objects.create(scope="site", period="month", unit="tokens", limit=1000),
        group=ErrorGroup.objects.create(message="A secret", first_at=now(), last_at=now()),
        limit=RateLimit.objects.create(scope="person", streams=4),
        conversation=conversation,
        message=generation.message,
        attachment=attachment,
        generation=generation,
        provider=provider,
        model=model,
        server=server,
        tool=tool,
    )


def address_in(place: SimpleNamespace, route: str, person: User | None = None) -> str:
    keys: dict[str, object] = {
        "pk": place.conversation.pk,
        "message_pk": place.message.pk,
        "person_pk": person.pk if person else 0,
        "provider_pk": place.provider.pk,
        "key": place.attachment.uuid,
        "server_pk": place.server.pk,
        "tool_pk": place.tool.pk,
        "key_pk": place.key.pk,
        "budget_pk": place.budget.pk,
        "limit_pk": place.limit.pk,
        "group_pk": place.group.pk,
        "token": "forged",
        "app_label": "accounts",
        "url": "nothing/here",
        "content_type_id": 1,
        "id": 1,
        "object_id": 1,
    }
    if route.startswith("settings/"):
        keys["pk"] = (place.model if "settings/models/" in route else place.provider).pk
    for name, row in (("conversation", place.conversation), ("message", place.message)):
        if f"/{name}/" in route:
            keys["object_id"] = row.pk
    return address(route, keys)
