"""What people type in a conversation, checked at the edge."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from conversations.models import Conversation
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel
from upstreams.parameters import check

LONGEST_TURN = 200_000
"""Characters; about a hundred pages."""


class TurnForm(forms.Form):
    """A turn: the text, and the model that is to answer."""

    text = forms.CharField(
        label="Message",
        max_length=LONGEST_TURN,
        strip=False,
        error_messages={
            "required": "Write a message first.",
            "max_length": "A message can have %(limit_value)d characters; this one has %(show_value)d.",
        },
    )
    chat_model = forms.ModelChoiceField(
        ChatModel.objects.none(),
        label="Model",
        required=False,
        error_messages={"invalid_choice": "This model is not available any more. Choose another one."},
    )

    key = forms.UUIDField(
        required=False,
        widget=forms.HiddenInput,
        error_messages={"invalid": "This page cannot send any more. Copy your text, then reload the page."},
    )
    """The same for every sending of one turn."""

    def __init__(self, *args: Any, conversation: Conversation | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["chat_model"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = ChatModel.objects.offered()
        self.speaking = conversation.speaking_model() if conversation else ChatModel.objects.default()
        field.initial = self.speaking.pk if self.speaking else None

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"].replace("\r\n", "\n").strip("\n")
        if not text.strip():
            raise ValidationError("Write a message first.")
        return text

    def turn(self) -> dict[str, Any]:
        """What `turns.post` wants to know of a valid turn."""
        return {name: self.cleaned_data[name] for name in ("text", "chat_model", "key")}

    def clean_chat_model(self) -> ChatModel | None:
        """Where none can be chosen, such as under an edit, the one that the conversation speaks with."""
        return self.cleaned_data["chat_model"] or self.speaking


class RenameForm(forms.ModelForm):  # type: ignore[type-arg]
    title = forms.CharField(max_length=200, error_messages={"required": "A title needs at least one character."})

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

    stop_sequences = StopSequencesField(required=False, label="Stop sequences", help_text="One a line.", strip=False)

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
            "thinking_budget",
        ]
        labels = {
            "max_tokens": "Longest answer (tokens)",
            "top_p": "Top p",
            "top_k": "Top k",
            "thinking_budget": "Thinking (tokens)",
        }
        help_texts = {
            "system_prompt": "Told to the model before everything else.",
            "thinking_budget": "How much the model may think before it answers. Empty: it does not.",
        }
        widgets = {"system_prompt": forms.Textarea(attrs={"rows": 4})}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        model = self.instance.speaking_model()
        if model is not None and not self.errors:
            asked = Conversation(**{name: cleaned.get(name) for name in self.fields})
            for problem in check(asked, ProtocolName(model.provider.protocol), model.limits):
                self.add_error(problem.field if problem.field in self.fields else None, problem.message)
        return cleaned
