"""The forms for a conversation's title and settings."""

from typing import Any

from django import forms
from django.db.models import F

from accounts.models import User
from conversations.models import Conversation, ThinkingMode
from conversations.models.conversation import EFFORTS
from conversations.prompt.toolbox import chosen_tools
from conversations.prompt.transcript import parameters_of
from tools.models import Tool
from upstreams.chat import ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel
from upstreams.parameters import MIN_THINKING_BUDGET, check


class RenameForm(forms.ModelForm):  # type: ignore[type-arg]
    title = forms.CharField(max_length=200, error_messages={"required": "Enter a title."})

    class Meta:
        model = Conversation
        fields = ["title"]


class StopSequencesField(forms.CharField):
    """One stop sequence per line, with its white space."""

    widget = forms.Textarea(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line for line in str(value or "").replace("\r\n", "\n").split("\n") if line]

    def validate(self, value: Any) -> None:
        """`SettingsForm.clean` validates this field, because the limits depend on the model."""


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings of a conversation, checked against the limits of `model`, which answers next."""

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

    def __init__(self, *args: Any, person: User, model: ChatModel | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current_model = model
        self._offer_thinking()
        # The built-in tools first, then those of each server.
        offered = Tool.objects.usable_by(person).order_by(F("server__name").asc(nulls_first=True), "wire_name")
        field = self.fields["tools"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = offered
        self.offered = list(offered)
        self.chosen = set(chosen_tools(self.instance).values_list("pk", flat=True))
        self.initial["tools"] = [tool for tool in self.offered if tool.pk in self.chosen]
        by_name = [(tool.wire_name, f"Always start with “{tool}”") for tool in self.offered]
        choice = self.fields["tool_choice"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [("auto", "Automatic"), ("any", "Always use a tool"), ("none", "Never"), *by_name]
        if self.instance.tool_choice not in dict(choice.choices):
            self.initial["tool_choice"] = "auto"

    def save_changes(self) -> None:
        """Saves only the changed fields: others may have changed the row meanwhile.

        Tools that this person has no access to stay selected.
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
        """Offers the thinking modes of the model, and the current one, so that it can be switched off."""
        model, chosen = self.current_model, self.instance.thinking
        if model is None:
            return
        if not (model.takes_effort or self.instance.reasoning_effort):
            del self.fields["reasoning_effort"]
        elif isinstance(effort := self.fields["reasoning_effort"], forms.TypedChoiceField):
            supported = (self.instance.reasoning_effort, *model.efforts)
            effort.choices = [("", "Model default"), *(each for each in EFFORTS if each[0] and each[0] in supported)]
        is_chat = model.provider.protocol == ProtocolName.OPENAI
        if is_chat and not chosen and model.takes_effort:
            # The effort “none” switches thinking off.
            del self.fields["thinking"], self.fields["thinking_budget"]
            return
        has = {
            ThinkingMode.DEFAULT: True,
            ThinkingMode.OFF: True,
            ThinkingMode.BUDGET: model.supports_thinking and not is_chat,
            ThinkingMode.ADAPTIVE: model.thinks_adaptively and not is_chat,
        }
        if not has[ThinkingMode.BUDGET] and chosen != ThinkingMode.BUDGET:
            del self.fields["thinking_budget"]
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
