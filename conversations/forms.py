"""What people type in a conversation, checked at the edge."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.db.models import F
from django.utils.functional import cached_property

from accounts.models import User
from chatsite.numbers import whole_number
from conversations.models import Attachment, Conversation, Message, ThinkingMode
from conversations.models.conversation import EFFORTS
from conversations.prompt.transcript import parameters_of
from ledger.booking import entries
from tools.models import Tool
from upstreams.chat import ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel
from upstreams.parameters import MIN_THINKING_BUDGET, check

MAX_TURN_LENGTH = 200_000
"""Characters; about a hundred pages."""


class ChatModelField(forms.Field):
    """The key of a model that people may choose. Unlike Django's field, it builds no query for each form."""

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
    """A turn: the text, the files that go with it, and the model that is to answer.

    `keeps` are the files that a message has already, which an edit does not change; `refusal` is why no answer can be
    asked for, where that is known before anything is posted.
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
    """The same for every sending of one turn."""

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
        keeps: Sequence[Attachment] | None = None,
        refusal: entries.CallRefused | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.refusal = refusal
        self.person, self.conversation, self.keeps = person, conversation, keeps
        attached = self.fields["attached"]
        assert isinstance(attached, forms.TypedMultipleChoiceField)
        attached.choices = lambda: [(str(each.uuid), each.name) for each in self.drafts]
        self.fields["chat_model"].initial = lambda: self.current_model.pk if self.current_model else None

    @property
    def status(self) -> int:
        """Of the answer to a turn that cannot be taken: wrong in itself, or just too much."""
        return 429 if self.refusal else 422

    @cached_property
    def models(self) -> list[ChatModel]:
        """The models to choose from, the default first."""
        return list(ChatModel.objects.offered())

    @cached_property
    def current_model(self) -> ChatModel | None:
        """The model that answers unless another one is chosen."""
        chosen = self.conversation.chat_model_id if self.conversation else None
        return next((model for model in self.models if model.pk == chosen), self.models[0] if self.models else None)

    @cached_property
    def warnings(self) -> list[str]:
        """A sentence for each budget of which little is left."""
        return entries.list_warnings(self.person)

    @property
    def limits(self) -> dict[str, int]:
        """Told to the page, which need not send what would be refused."""
        return {"size": settings.ATTACHMENT_SIZE, "count": settings.ATTACHMENTS_PER_MESSAGE}

    @cached_property
    def drafts(self) -> list[Attachment]:
        """What waits to be sent from here."""
        if self.keeps is not None:
            return []
        return list(Attachment.objects.drafts_of(self.person, self.conversation))

    def clean_text(self) -> str:
        typed: str = self.cleaned_data["text"]
        if len(typed) > MAX_TURN_LENGTH:
            error = f"Too long: {len(typed):,} of at most {MAX_TURN_LENGTH:,} characters."
            raise forms.ValidationError(error if self.keeps is not None else f"{error} Attach it as a file instead.")
        text = typed.replace("\r\n", "\n").strip("\n")
        return text if text.strip() else ""

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if "attached" in self.errors and self.is_posted:
            # What came with this turn was sent with it: there is nothing wrong, and nothing more to do.
            del self.errors["attached"]
            cleaned["attached"] = []
        files = list(self.keeps or ())
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
        """Whether this sending of the turn is not the first."""
        key = self.cleaned_data.get("key")
        return bool(key) and Message.objects.filter(author=self.person, key=key).exists()

    def turn(self) -> dict[str, Any]:
        """What `turns.post` wants to know of a valid turn."""
        return {name: self.cleaned_data[name] for name in ("text", "chat_model", "key", "attached")}

    def clean_chat_model(self) -> ChatModel | None:
        """Where none can be chosen, such as under an edit, the one that the conversation speaks with."""
        return self.cleaned_data["chat_model"] or self.current_model


class RenameForm(forms.ModelForm):  # type: ignore[type-arg]
    title = forms.CharField(max_length=200, error_messages={"required": "Enter a title."})

    class Meta:
        model = Conversation
        fields = ["title"]


class StopSequencesField(forms.CharField):
    """One stop sequence a line; white space within a line is meant."""

    widget = forms.Textarea(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line for line in str(value or "").replace("\r\n", "\n").split("\n") if line]

    def validate(self, value: Any) -> None:
        """What is in it depends on the model, which checks it with the other parameters."""


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The parameters of a conversation, checked against what the model that answers next allows."""

    stop_sequences = StopSequencesField(required=False, label="Stop sequences", help_text="One per line.", strip=False)
    tools = forms.ModelMultipleChoiceField(
        Tool.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "You no longer have access to one of the tools. Choose again."},
    )
    tool_choice = forms.ChoiceField(label="Tool use", required=False)

    # Cleaned before `tool_choice`, which may name one of them.
    field_order = ["tools"]

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current_model = self.instance.speaking_model()
        self._offer_thinking()
        # The site's own first, then server by server.
        offered = Tool.objects.usable_by(person).order_by(F("server__name").asc(nulls_first=True), "wire_name")
        field = self.fields["tools"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = offered
        self.offered = list(offered)
        self.chosen = set(self.instance.tools.values_list("pk", flat=True))
        self.initial["tools"] = [tool for tool in self.offered if tool.pk in self.chosen]
        one_by_name = [(tool.wire_name, f"Always start with “{tool}”") for tool in self.offered]
        choice = self.fields["tool_choice"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [("auto", "Automatic"), ("any", "Always use a tool"), ("none", "Never"), *one_by_name]
        if self.instance.tool_choice not in dict(choice.choices):
            self.initial["tool_choice"] = "auto"

    def keep(self) -> None:
        """Saves what was changed, and nothing else of the row: somebody may have spoken or renamed it meanwhile.

        Tools that are open to others and not to this person stay chosen.
        """
        self.instance.save(update_fields=[name for name in self.changed_data if name != "tools"])
        theirs = self.chosen - {tool.pk for tool in self.offered}
        self.instance.tools.set([*theirs, *self.cleaned_data["tools"]])

    def clean_tool_choice(self) -> str:
        choice: str = self.cleaned_data["tool_choice"] or self.initial["tool_choice"]
        named = {tool.wire_name for tool in self.cleaned_data.get("tools", [])}
        if choice not in ("auto", "any", "none", *named):
            raise forms.ValidationError("Select this tool above first.")
        return choice

    class Meta:
        model = Conversation
        fields = [
            "system_prompt",
            "max_tokens",
            "temperature",
            "top_p",
            "top_k",
            "presence_penalty",
            "frequency_penalty",
            "stop_sequences",
            "thinking",
            "thinking_budget",
            "reasoning_effort",
            "leaves_out_oldest",
            "tool_choice",
        ]
        labels = {
            "max_tokens": "Maximum answer length (tokens)",
            "top_p": "Top p",
            "top_k": "Top k",
            "thinking_budget": "Thinking budget (tokens)",
            "reasoning_effort": "Reasoning effort",
            "leaves_out_oldest": "When the context is full, drop the oldest messages automatically",
        }
        help_texts = {
            "system_prompt": "Instructions the model gets before the conversation.",
            "thinking": "Whether the model thinks before it answers.",
            "thinking_budget": "Maximum thinking tokens, if the model uses a budget.",
            "reasoning_effort": "How much the model thinks before it answers. Not every model supports every level.",
            "leaves_out_oldest": "Dropped messages stay on the page. A line shows where the context starts.",
        }
        widgets = {"system_prompt": forms.Textarea(attrs={"rows": 4})}

    def _offer_thinking(self) -> None:
        """What the model knows of thinking; besides that what is set already, so that it can be switched off."""
        model, chosen = self.current_model, self.instance.thinking
        if model is None:
            return
        if not (model.takes_effort or self.instance.reasoning_effort):
            del self.fields["reasoning_effort"]
        elif isinstance(effort := self.fields["reasoning_effort"], forms.TypedChoiceField):
            supported = (self.instance.reasoning_effort, *model.efforts)
            effort.choices = [("", "Model default"), *(each for each in EFFORTS if each[0] and each[0] in supported)]
        if model.provider.protocol == ProtocolName.OPENAI and not chosen:
            del self.fields["thinking"], self.fields["thinking_budget"]
            return
        has = {
            ThinkingMode.OFF: True,
            ThinkingMode.BUDGET: model.supports_thinking,
            ThinkingMode.ADAPTIVE: model.thinks_adaptively,
        }
        field = self.fields["thinking"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [
            (kind, label) for kind, label in ThinkingMode.choices if has[ThinkingMode(kind)] or kind == chosen
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if (
            cleaned.get("thinking") == ThinkingMode.BUDGET
            and cleaned.get("thinking_budget") is None
            and not self.errors
        ):
            self.add_error("thinking_budget", f"Enter a thinking budget of {MIN_THINKING_BUDGET:,} tokens or more.")
        model = self.current_model
        if model is not None and not self.errors:
            given = {name: cleaned[name] for name in self.Meta.fields if name in cleaned}
            asked = ChatRequest("", [], **parameters_of(Conversation(**given)))
            for problem in check(asked, ProtocolName(model.provider.protocol), model.limits):
                field = "thinking" if problem.field == "thinks_adaptively" else problem.field
                self.add_error(field if field in self.fields else None, problem.message)
        return cleaned
