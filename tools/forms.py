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
"""How many headers a server may want; the form has a pair of fields for each."""

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# Those that the protocol or HTTP itself sets.
_OURS: Final = re.compile(
    r"host|content-.*|accept.*|connection|transfer-encoding|te|trailer|upgrade|user-agent|last-event-id|mcp-.*", re.I
)


class ToolServerForm(forms.ModelForm):  # type: ignore[type-arg]
    """A server's settings. The values of its headers go in and never come out: their fields are always empty.

    Stored values stay with the server they were entered for: when the address names
    another one, they have to be entered again.
    """

    instance: ToolServer

    class Meta:
        model = ToolServer
        fields = ["name", "url", "is_enabled", "call_timeout"]
        labels = {
            "url": "Address",
            "is_enabled": "Let models use its tools",
            "call_timeout": "Seconds to wait for a call",
        }
        help_texts = {
            "name": "What people see beside its tools.",
            "url": "Of its streamable HTTP endpoint; it mostly ends in /mcp.",
        }
        widgets = {"url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Kept, since validation writes the form's values into the instance.
        self._stored_url, self._stored_headers = self.instance.url, dict(self.instance.sealed_headers)
        self.fields["call_timeout"].help_text = f"Empty: {settings.TOOL_CALL_TIMEOUT:g}, as everywhere."
        names = list(self._stored_headers)
        for number in range(HEADERS):
            stored = names[number] if number < len(names) else ""
            self.fields[f"header_name_{number}"] = _name_field(stored)
            self.fields[f"header_value_{number}"] = _value_field(bool(stored))

    @property
    def headers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Name and value fields, those in use first."""
        return [(self[f"header_name_{number}"], self[f"header_value_{number}"]) for number in range(HEADERS)]

    @property
    def spare_headers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Those that are mostly not wanted: all but the ones in use, and the next."""
        return self.headers[max(1, len(self._stored_headers)) :]

    @property
    def first_headers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        return self.headers[: max(1, len(self._stored_headers))]

    @property
    def is_spare_wanted(self) -> bool:
        return any(name.errors or value.errors or name.value() for name, value in self.spare_headers)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if ToolServer.objects.exclude(pk=self.instance.pk).filter(name__iexact=name).exists():
            raise ValidationError("Another server has this name.", code="unique")
        return name

    def clean_url(self) -> str:
        # Its end stays as it is: with a slash and without are two addresses to many servers.
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
                server.sealed_headers[name] = _stored(stored, name)
        if server.url != self._stored_url or server.sealed_headers != stored:
            server.forget_check()
        super().save(commit)
        return server

    def _clean_header(self, number: int, cleaned: dict[str, Any], seen: set[str]) -> None:
        at_name, at_value = f"header_name_{number}", f"header_value_{number}"
        name, value = cleaned.get(at_name, ""), cleaned.get(at_value, "")
        if name and (_OURS.fullmatch(name) or not _NAME.fullmatch(name)):
            self.add_error(at_name, "This is no name of a header that can be set here.")
        elif name.lower() in seen:
            self.add_error(at_name, "This header stands here twice.")
        elif value and not name:
            self.add_error(at_name, "Name the header that has this value.")
        elif value and not (value.isascii() and value.isprintable()):
            self.add_error(at_value, "A value has only letters, digits and signs. Copy it again.")
        elif name and not value and not _stored(self._stored_headers, name):
            self.add_error(at_value, "Enter the value of this header.")
        elif name and not value and self._is_elsewhere(cleaned):
            self.add_error(at_value, "The address names another server now. Enter the value for it, or clear the name.")
        if name:
            seen.add(name.lower())

    def _is_elsewhere(self, cleaned: dict[str, Any]) -> bool:
        return "url" in cleaned and not addresses.same_origin(cleaned["url"], self._stored_url)


class ToolForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who may have models use a tool, whether they are asked, and how long a call may take."""

    instance: Tool

    class Meta:
        model = Tool
        fields = ["is_allowed", "ask_first", "groups", "call_timeout"]
        labels = {
            "is_allowed": "Allow it",
            "ask_first": "Ask first",
            "groups": "For",
            "call_timeout": "Seconds to wait for a call",
        }
        help_texts = {
            "is_allowed": "Models may then call it in conversations that use it.",
            "ask_first": "The person who asked the model sees each call, and allows or refuses it. "
            "Otherwise it runs at once.",
            "groups": "Only people in one of these groups. None ticked: everybody.",
        }
        widgets = {"groups": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whose = f"as for {self.instance.server}" if self.instance.server else "as everywhere"
        self.fields["call_timeout"].help_text = f"Empty: {self.instance.timeout_by_default:g}, {whose}."
        groups = self.fields["groups"]
        assert isinstance(groups, forms.ModelMultipleChoiceField)
        groups.queryset = Group.objects.order_by("name")

    def save(self, commit: bool = True) -> Tool:
        tool: Tool = super().save(commit)
        tool.narrow(self.cleaned_data["groups"])
        return tool


def _stored(headers: dict[str, str], name: str) -> str:
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
    placeholder = "Set. Leave empty to keep it." if is_stored else "Bearer …"
    return forms.CharField(
        label="Value",
        required=False,
        max_length=8000,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "data-reveal": "value", "placeholder": placeholder}
        ),
    )
