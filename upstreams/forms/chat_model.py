"""The form for a model's settings."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from upstreams.models import ChatModel, Provider


class ChatModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """An administrator's settings for a model. Empty fields follow the server's listing."""

    instance: ChatModel

    class Meta:
        model = ChatModel
        fields = [
            "model_id",
            "name",
            "is_enabled",
            "supports_thinking",
            "thinks_adaptively",
            "sees_images",
            "reads_pdf",
            "context_window",
            "max_output_tokens",
            "input_price",
            "output_price",
            "cache_read_price",
            "cache_write_price",
        ]
        labels = {
            "model_id": "Model ID",
            "name": "Display name",
            "is_enabled": "Offer to people",
            "supports_thinking": "Supports thinking budget",
            "thinks_adaptively": "Supports adaptive thinking",
            "sees_images": "Accepts images",
            "reads_pdf": "Accepts PDF files",
            "context_window": "Context window",
            "max_output_tokens": "Output limit",
            "input_price": "Input",
            "output_price": "Output",
            "cache_read_price": "Cache read",
            "cache_write_price": "Cache write",
        }
        help_texts = {
            "model_id": "Exactly as the server spells it.",
            "name": "Leave empty to use the server's name.",
            "supports_thinking": "People can turn thinking on and set its maximum number of tokens.",
            "thinks_adaptively": "People can let the model decide how much to think, or choose an effort.",
            "sees_images": "If not, attached images cause a warning.",
            "reads_pdf": "If not, the model gets the text of a PDF.",
            "context_window": "Tokens of input and output together.",
            "max_output_tokens": "Tokens in one answer.",
            "cache_read_price": "Defaults to the input price.",
            "cache_write_price": "Defaults to the input price.",
        }
        widgets = {"model_id": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})}

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.provider = provider
        for name in ("input_price", "output_price", "cache_read_price", "cache_write_price"):
            if (price := getattr(self.instance, name)) is not None:
                self.initial[name] = f"{price.normalize():f}"
        said = {"sees_images": self.instance.can_see, "reads_pdf": self.instance.can_read_pdf}
        for name, is_able in said.items():
            is_unknown = getattr(self.instance, name) is None
            otherwise = f"Unknown (assume {'yes' if is_able else 'no'})" if is_unknown else "Unknown"
            field = self.fields[name]
            assert isinstance(field.widget, forms.Select)
            field.widget.choices = [("unknown", otherwise), ("true", "Yes"), ("false", "No")]
        # The server sets the id of a listed model. The id of a model entered by hand may need a correction.
        if self.instance.as_listed:
            del self.fields["model_id"]

    def clean_model_id(self) -> str:
        model_id: str = self.cleaned_data["model_id"]
        others = self.instance.provider.chat_models.exclude(pk=self.instance.pk)
        if others.filter(model_id=model_id).exists():
            raise ValidationError(f"{self.instance.provider} already has a model with this ID.", code="unique")
        return model_id

    def save(self, commit: bool = True) -> ChatModel:
        model = self.instance
        if model._state.adding:
            model.is_listed = False
        for field, value in model.as_listed.items():
            if getattr(model, field) in ("", None):
                setattr(model, field, value)
        super().save(commit)
        return model
