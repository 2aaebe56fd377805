"""The form of a turn, in a conversation, on the home page and under an edit."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils.functional import cached_property

from accounts.models import User
from chatsite.values.numbers import whole_number
from conversations.models import Attachment, Conversation, Generation, Message
from ledger.booking import entries
from upstreams.models import ChatModel, ModelOff

MAX_TURN_LENGTH = 200_000
"""In characters: about a hundred pages."""
FEW_MODELS = 6
"""So many models are seen at a glance, so their order stays the same."""
SHOWN_RECENT = 3


class ChatModelField(forms.Field):
    """The primary key of an offered model. Unlike ModelChoiceField, it builds no query for each form."""

    default_error_messages = {"invalid_choice": "This model is no longer available. Choose another one."}

    def to_python(self, value: Any) -> ChatModel | None:
        if value in self.empty_values:
            return None
        pk = whole_number(str(value))
        model = None if pk is None else ChatModel.find_offered(pk)
        if model is None:
            raise forms.ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return model


class TurnForm(forms.Form):
    """A turn: the text, its files, and the model that answers.

    `existing_files` are those of an edited message, which an edit does not change. `refusal` is a reason
    against any answer that the caller has found already.
    """

    text = forms.CharField(label="Message", required=False, strip=False)
    chat_model = ChatModelField(
        label="Model",
        required=False,
    )

    key = forms.UUIDField(
        required=False,
        widget=forms.HiddenInput,
        error_messages={"invalid": "This page is out of date. Copy your text, then reload the page."},
    )
    """Stays the same if the turn is sent again."""

    attached = forms.TypedMultipleChoiceField(
        required=False,
        coerce=UUID,
        error_messages={
            "invalid_choice": "One of the files was sent or removed in another tab. Remove it here, then send again."
        },
    )

    def __init__(
        self,
        *args: Any,
        person: User,
        conversation: Conversation | None = None,
        existing_files: Sequence[Attachment] | None = None,
        refusal: entries.CallRefused | ModelOff | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.refusal = refusal
        self.person, self.conversation, self.existing_files = person, conversation, existing_files
        attached = self.fields["attached"]
        assert isinstance(attached, forms.TypedMultipleChoiceField)
        attached.choices = lambda: [(str(each.uuid), each.name) for each in self.drafts]
        self.fields["chat_model"].initial = lambda: self.current_model.pk if self.current_model else None

    @property
    def status(self) -> int:
        """The HTTP status of a refused turn: over a limit, or invalid."""
        return 429 if self.refusal else 422

    @cached_property
    def models(self) -> list[ChatModel]:
        """The models to choose from, the default first."""
        return list(ChatModel.objects.offered())

    @cached_property
    def current_model(self) -> ChatModel | None:
        """The model that answers unless another one is chosen: a new conversation begins with the person's last one."""
        if self.conversation is None and self.recent_models:
            return self.recent_models[0]
        chosen = self.conversation.chat_model_id if self.conversation else None
        return next((model for model in self.models if model.pk == chosen), self.models[0] if self.models else None)

    @cached_property
    def recent_models(self) -> list[ChatModel]:
        """The models that the person used last and may still choose."""
        offered = {model.pk: model for model in self.models}
        return [offered[pk] for pk in Generation.objects.list_recent_models(self.person) if pk in offered]

    @property
    def model_groups(self) -> list[tuple[str, list[ChatModel]]]:
        """The models under their provider's name. Among many, those that the person used last come first."""
        recent = self.recent_models[:SHOWN_RECENT] if len(self.models) > FEW_MODELS else []
        groups: dict[str, list[ChatModel]] = {}
        for model in self.models:
            if model not in recent:
                groups.setdefault(str(model.provider), []).append(model)
        return [("Recent", recent), *groups.items()] if recent else list(groups.items())

    @cached_property
    def warnings(self) -> list[str]:
        """A sentence for each budget that is almost used up."""
        return entries.list_warnings(self.person)

    @property
    def longest_text(self) -> int:
        return MAX_TURN_LENGTH

    @property
    def limits(self) -> dict[str, int]:
        """The limits that the page checks before it uploads a file."""
        return {"size": settings.ATTACHMENT_SIZE, "count": settings.ATTACHMENTS_PER_MESSAGE}

    @cached_property
    def drafts(self) -> list[Attachment]:
        """The files attached here and not sent yet."""
        if self.existing_files is not None:
            return []
        return list(Attachment.objects.drafts_of(self.person, self.conversation))

    def clean_text(self) -> str:
        typed: str = self.cleaned_data["text"]
        if len(typed) > MAX_TURN_LENGTH:
            error = f"Too long: {len(typed):,} of at most {MAX_TURN_LENGTH:,} characters."
            can_attach = self.existing_files is None
            raise forms.ValidationError(f"{error} Attach it as a file instead." if can_attach else error)
        text = typed.replace("\r\n", "\n").strip("\n")
        return text if text.strip() else ""

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if "attached" in self.errors and self.is_posted:
            # The files were sent with the first sending of this turn.
            del self.errors["attached"]
            cleaned["attached"] = []
        files = list(self.existing_files or ())
        if attached := cleaned.get("attached"):
            files += [each for each in self.drafts if each.uuid in attached]
        if not (files or self.errors or cleaned["text"] or self.is_posted):
            self.add_error("text", "Write a message first.")
        model = cleaned.get("chat_model")
        if model and not model.can_see and any(each.is_image for each in files):
            self.add_error("chat_model", f"{model} cannot see images. Choose another model, or remove them.")
        if not self.errors and (refusal := entries.find_refusal(self.person)) and not self.is_posted:
            self.refusal = refusal
            raise forms.ValidationError(str(refusal))
        return cleaned

    @cached_property
    def is_posted(self) -> bool:
        """Whether the turn was posted by an earlier sending."""
        key = self.cleaned_data.get("key")
        return bool(key) and Message.objects.filter(author=self.person, key=key).exists()

    def turn(self) -> dict[str, Any]:
        """The arguments of `turns.post`."""
        return {name: self.cleaned_data[name] for name in ("text", "chat_model", "key", "attached")}

    def clean_chat_model(self) -> ChatModel | None:
        """Falls back to the current model, such as under an edit, which offers no choice."""
        return self.cleaned_data["chat_model"] or self.current_model
