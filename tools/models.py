"""Tool servers, their tools and the built-in ones."""

from collections.abc import Iterable
from typing import Any, Final, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.models import User
from tools import builtin
from tools.errors import HeadersUnreadable
from tools.limits import LIMITS
from tools.mcp.endpoint import ToolEndpoint
from tools.names import unique_slug
from upstreams import addresses
from upstreams.sealing import SealBroken, seal, unseal

# Servers write these at the root of a schema, where the protocols do not allow them.
_INVALID_AT_ROOT: Final = ("oneOf", "anyOf", "allOf", "not", "$schema", "$id")


def _call_timeout_field() -> "models.PositiveIntegerField[int | None, int | None]":
    limits = [MinValueValidator(1), MaxValueValidator(LIMITS.longest_call)]
    return models.PositiveIntegerField("time limit for a call (seconds)", null=True, blank=True, validators=limits)


def check_url(url: str) -> None:
    if fault := addresses.find_fault(url, example="https://tools.example/mcp", secrets="Enter them as headers."):
        raise ValidationError(fault, code="invalid")


class ToolServer(models.Model):
    """An MCP server with its address and the headers that give access to it."""

    name = models.CharField(max_length=80)
    # The prefix of its tools' names for models. It stays the same when the server is renamed.
    slug = models.CharField(max_length=24, unique=True, editable=False)
    url = models.CharField("address", max_length=500, validators=[check_url])
    # Maps header names to sealed values, in the order of the form.
    sealed_headers = models.JSONField(default=dict, blank=True, editable=False)
    call_timeout = _call_timeout_field()
    is_enabled = models.BooleanField("enabled", default=True)
    checked_at = models.DateTimeField(null=True, editable=False)
    check_error = models.TextField(blank=True, editable=False)
    check_note = models.TextField(blank=True, editable=False)
    protocol_version = models.CharField(max_length=20, blank=True, editable=False)
    about = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="tool_server_name_unique",
                violation_error_message="Another server already has this name.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.slug = self.slug or unique_slug(self.name, set(ToolServer.objects.values_list("slug", flat=True)))
        super().save(*args, **kwargs)

    @property
    def header_names(self) -> list[str]:
        return list(self.sealed_headers)

    @property
    def are_headers_readable(self) -> bool:
        """False if another SEALING_KEY sealed them, so that an administrator has to enter them again."""
        try:
            self.build_endpoint()
        except HeadersUnreadable:
            return False
        return True

    @property
    def timeout(self) -> float:
        """The seconds that a call may take, unless its tool has a limit of its own."""
        return float(self.call_timeout or settings.TOOL_CALL_TIMEOUT)

    def set_header(self, name: str, value: str) -> None:
        """Seals the value, or removes the header if the value is empty. Does not save."""
        others = {known: sealed for known, sealed in self.sealed_headers.items() if known.lower() != name.lower()}
        self.sealed_headers = others | ({name: seal(value)} if value else {})

    def clear_check(self) -> None:
        """Clears the result of the last check, because it is about other settings. Does not save."""
        self.checked_at, self.check_error, self.check_note, self.protocol_version, self.about = None, "", "", "", ""

    def build_endpoint(self) -> ToolEndpoint:
        """Raises HeadersUnreadable if another SEALING_KEY sealed the headers."""
        try:
            headers = {name: unseal(sealed) for name, sealed in self.sealed_headers.items()}
        except SealBroken:
            raise HeadersUnreadable.at(self.name) from None
        return ToolEndpoint(
            name=self.name,
            url=self.url,
            headers=headers,
            timeout=self.timeout,
            protocol_version=self.protocol_version,
        )


class ToolQuerySet(models.QuerySet["Tool"]):
    def usable(self) -> Self:
        """The tools that can be called: allowed, still listed, valid, and of an enabled server."""
        is_available = Q(server__is_enabled=True) | Q(server=None, name__in=list(builtin.registered_tools()))
        return self.filter(is_available, is_allowed=True, is_gone=False, fault="").select_related("server")

    def usable_by(self, user: User | AnonymousUser) -> Self:
        """The tools that the person may let models call, in an order that is the same in every request."""
        if not user.is_authenticated:
            return self.none()
        for_everyone, for_their_groups = Q(groups=None, is_narrowed=False), Q(groups__in=user.groups.all())
        # A subquery, because a join would repeat a tool that several of the person's groups may use.
        permitted = Tool.objects.filter(for_everyone | for_their_groups).values("pk")
        return self.usable().filter(pk__in=permitted).order_by("wire_name")


class Tool(models.Model):
    """Something that a model can call: a server's tool or, if `server` is None, a built-in one."""

    server = models.ForeignKey(ToolServer, models.CASCADE, null=True, related_name="tools", editable=False)
    name = models.CharField(max_length=200, editable=False)
    wire_name = models.CharField(max_length=64, unique=True, editable=False)
    title = models.CharField(max_length=200, blank=True, editable=False)
    description = models.TextField(blank=True, editable=False)
    input_schema = models.JSONField(default=dict, editable=False)
    annotations = models.JSONField(default=dict, editable=False)
    # Why the tool is unusable. A provider would reject the whole request for one invalid schema.
    fault = models.CharField(max_length=300, blank=True, editable=False)
    is_allowed = models.BooleanField("allowed", default=False)
    ask_first = models.BooleanField("ask first", default=True)
    call_timeout = _call_timeout_field()
    # Without groups, everyone may use the tool, unless it was restricted to groups that have been deleted since:
    # then nobody may.
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    is_narrowed = models.BooleanField(default=False, editable=False)
    seen_at = models.DateTimeField(null=True, editable=False)
    is_gone = models.BooleanField(default=False, editable=False)

    objects = ToolQuerySet.as_manager()

    class Meta:
        ordering = ["server", "pk"]
        constraints = [models.UniqueConstraint(fields=["server", "name"], name="tool_unique_in_server")]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def origin(self) -> str:
        """The name of its server, for people."""
        return self.server.name if self.server else "Built-in"

    @property
    def timeout(self) -> float:
        """The seconds that a call may take."""
        return float(self.call_timeout or self.default_timeout)

    @property
    def default_timeout(self) -> float:
        return self.server.timeout if self.server else float(settings.TOOL_CALL_TIMEOUT)

    @property
    def definition(self) -> dict[str, Any]:
        """The tool's entry in a request's `tools`, in the form of the Messages API."""
        schema = {key: value for key, value in self.input_schema.items() if key not in _INVALID_AT_ROOT}
        description = self.description or self.title or self.name
        return {"name": self.wire_name, "description": description, "input_schema": {"type": "object"} | schema}

    @property
    def hints(self) -> list[str]:
        """The server's claims about its tool, which may be false."""
        if self.annotations.get("readOnlyHint") is True:
            return ["read-only"]
        return ["destructive"] if self.annotations.get("destructiveHint") is True else []

    @transaction.atomic
    def restrict_to(self, groups: Iterable[Group]) -> None:
        """Limits the tool to members of the groups; without groups, everyone may use it."""
        self.groups.set(groups)
        self.is_narrowed = self.groups.exists()
        self.save(update_fields=["is_narrowed"])

    def allow(self, is_allowed: bool) -> None:
        self.is_allowed = is_allowed
        self.save(update_fields=["is_allowed"])
