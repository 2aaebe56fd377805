"""The forms of the tool pages."""

import re
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from tools.models import Tool, ToolServer
from upstreams import addresses

HEADERS: Final = 4
"""The most headers that a server can have. The form has two fields for each."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# The protocol or HTTP itself sets these headers.
_RESERVED: Final = re.compile(
    r"host|content-.*|accept.*|connection|transfer-encoding|te|trailer|upgrade|user-agent|last-event-id|mcp-.*", re.I
)


class ToolServerForm(forms.ModelForm):  # type: ignore[type-arg]
    """A server's settings. The fields for header values are always empty, because the form never shows a stored value.

    Stored values are sent only to the origin they were entered for. After the address changes to another origin,
    they have to be entered again.
    """

    instance: ToolServer

    class Meta:
        model = ToolServer
        fields = ["name", "url", "is_enabled", "call_timeout"]
        labels = {
            "url": "Address",
            "is_enabled": "Enabled",
            "call_timeout": "Time limit for a call (seconds)",
        }
        help_texts = {
            "name": "Shown to people next to its tools.",
            "url": "The streamable HTTP endpoint, usually ending in /mcp.",
            "is_enabled": "Models can only call tools of enabled servers.",
        }
        widgets = {"url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Validation overwrites these on the instance.
        self._stored_url, self._stored_headers = self.instance.url, dict(self.instance.sealed_headers)
        self.fields["call_timeout"].help_text = f"Leave empty to use the default, {settings.TOOL_CALL_TIMEOUT:g}."
        names = list(self._stored_headers)
        for number in range(HEADERS):
            stored = names[number] if number < len(names) else ""
            self.fields[f"header_name_{number}"] = _name_field(stored)
            self.fields[f"header_value_{number}"] = _value_field(bool(stored))

    @property
    def headers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Pairs of name and value fields. Those in use come first."""
        return [(self[f"header_name_{number}"], self[f"header_value_{number}"]) for number in range(HEADERS)]

    @property
    def visible_headers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The pairs in use, or one empty pair."""
        return self.headers[: max(1, len(self._stored_headers))]

    @property
    def further_headers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The pairs that the page hides until they are needed."""
        return self.headers[max(1, len(self._stored_headers)) :]

    @property
    def are_further_headers_needed(self) -> bool:
        return any(name.errors or value.errors or name.value() for name, value in self.further_headers)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if ToolServer.objects.exclude(pk=self.instance.pk).filter(name__iexact=name).exists():
            raise ValidationError("Another server already has this name.", code="unique")
        return name

    def clean_url(self) -> str:
        # A trailing slash stays: to many servers, the address without it is another one.
        url: str = self.cleaned_data["url"].strip()
        return url

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        seen: set[str] = set()
        for number in range(HEADERS):
            self._clean_header(number, cleaned, seen)
        return cleaned

    def save(self, commit: bool = True) -> ToolServer:
        server, stored = self.instance, self._stored_headers
        server.sealed_headers = {}
        for number in range(HEADERS):
            name = self.cleaned_data[f"header_name_{number}"]
            if value := self.cleaned_data[f"header_value_{number}"]:
                server.set_header(name, value)
            elif name:
                server.sealed_headers[name] = _find_stored(stored, name)
        if server.url != self._stored_url or server.sealed_headers != stored:
            server.clear_check()
        super().save(commit)
        return server

    def _clean_header(self, number: int, cleaned: dict[str, Any], seen: set[str]) -> None:
        at_name, at_value = f"header_name_{number}", f"header_value_{number}"
        name, value = cleaned.get(at_name, ""), cleaned.get(at_value, "")
        if name and (_RESERVED.fullmatch(name) or not _HEADER_NAME.fullmatch(name)):
            self.add_error(at_name, "This header name is reserved or not valid.")
        elif name.lower() in seen:
            self.add_error(at_name, "This header is already listed.")
        elif value and not name:
            self.add_error(at_name, "Enter the name of this header.")
        elif value and not (value.isascii() and value.isprintable()):
            self.add_error(at_value, "Header values can only contain printable ASCII characters. Copy the value again.")
        elif name and not value and not _find_stored(self._stored_headers, name):
            self.add_error(at_value, "Enter the value of this header.")
        elif name and not value and self._has_new_origin(cleaned):
            self.add_error(at_value, "The address is on another server now. Enter the value again, or clear the name.")
        if name:
            seen.add(name.lower())

    def _has_new_origin(self, cleaned: dict[str, Any]) -> bool:
        return "url" in cleaned and not addresses.have_same_origin(cleaned["url"], self._stored_url)


class ToolForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whether a tool is allowed and for whom, whether people approve its calls, and how long a call may take."""

    instance: Tool

    class Meta:
        model = Tool
        fields = ["is_allowed", "ask_first", "groups", "call_timeout"]
        labels = {
            "is_allowed": "Allowed",
            "ask_first": "Ask first",
            "groups": "Groups",
            "call_timeout": "Time limit for a call (seconds)",
        }
        help_texts = {
            "is_allowed": "Models can call the tool in conversations that use it.",
            "ask_first": "The person who sent the message allows or refuses each call. Otherwise calls run at once.",
            "groups": "Only members of the selected groups can use the tool. Select none for everyone.",
        }
        widgets = {"groups": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = f"setting of {self.instance.server}" if self.instance.server else "default"
        self.fields["call_timeout"].help_text = f"Leave empty to use the {source}, {self.instance.default_timeout:g}."
        groups = self.fields["groups"]
        assert isinstance(groups, forms.ModelMultipleChoiceField)
        groups.queryset = Group.objects.order_by("name")

    def save(self, commit: bool = True) -> Tool:
        tool: Tool = super().save(commit)
        tool.restrict_to(self.cleaned_data["groups"])
        return tool


def _find_stored(headers: dict[str, str], name: str) -> str:
    return next((sealed for known, sealed in headers.items() if known.lower() == name.lower()), "")


def _name_field(stored: str) -> forms.CharField:
    return forms.CharField(
        label="Header",
        required=False,
        initial=stored,
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "Authorization", "list": "header-names"}
        ),
    )


def _value_field(is_stored: bool) -> forms.CharField:
    placeholder = "Set (leave empty to keep it)" if is_stored else "Bearer …"
    return forms.CharField(
        label="Value",
        required=False,
        max_length=8000,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "data-reveal": "value", "placeholder": placeholder}
        ),
    )
