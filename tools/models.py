"""Tool servers and the tools that they, and the site itself, have."""

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
from tools.mcp.endpoint import ToolEndpoint
from tools.names import slug
from upstreams import addresses
from upstreams.sealing import SealBroken, seal, unseal

# What the protocols allow at the root of a schema is less than what servers write there.
_NOT_AT_THE_ROOT: Final = ("oneOf", "anyOf", "allOf", "not", "$schema", "$id")

# The rules are those of providers; only what their words name is another here.
_IN_OUR_WORDS: Final = {
    "the key has a field of its own": "headers have fields of their own",
    "https://models.example:8080/v1": "https://tools.example/mcp",
}


def _call_timeout() -> "models.PositiveIntegerField[int | None, int | None]":
    limits = [MinValueValidator(1), MaxValueValidator(3600)]
    return models.PositiveIntegerField("seconds to wait for a call", null=True, blank=True, validators=limits)


def check_url(url: str) -> None:
    if fault := addresses.fault(url):
        for theirs, ours in _IN_OUR_WORDS.items():
            fault = fault.replace(theirs, ours)
        raise ValidationError(fault, code="invalid")


class ToolServer(models.Model):
    """One MCP server: how to reach it and how to be let in."""

    name = models.CharField(max_length=80)
    # What its tools' names begin with, for models; it stays when the server is renamed.
    slug = models.CharField(max_length=24, unique=True, editable=False)
    url = models.CharField("address", max_length=500, validators=[check_url])
    # Header name to sealed value, in the order in which they were entered.
    sealed_headers = models.JSONField(default=dict, blank=True, editable=False)
    call_timeout = _call_timeout()
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
                Lower("name"), name="tool_server_name_unique", violation_error_message="Another server has this name."
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.slug = self.slug or slug(self.name, set(ToolServer.objects.values_list("slug", flat=True)))
        super().save(*args, **kwargs)

    @property
    def header_names(self) -> list[str]:
        return list(self.sealed_headers)

    @property
    def are_headers_readable(self) -> bool:
        """False when they were sealed with another SEALING_KEY and have to be entered again."""
        try:
            self.endpoint()
        except HeadersUnreadable:
            return False
        return True

    @property
    def timeout(self) -> float:
        """Seconds that a call may take, of a tool that has no limit of its own."""
        return float(self.call_timeout or settings.TOOL_CALL_TIMEOUT)

    def set_header(self, name: str, value: str) -> None:
        """Seals the value; an empty one takes the header away. Does not save."""
        kept = {known: sealed for known, sealed in self.sealed_headers.items() if known.lower() != name.lower()}
        self.sealed_headers = kept | ({name: seal(value)} if value else {})

    def forget_check(self) -> None:
        """The server is another one now: what was found says nothing any more; does not save."""
        self.checked_at, self.check_error, self.check_note, self.protocol_version, self.about = None, "", "", "", ""

    def endpoint(self) -> ToolEndpoint:
        """Raises HeadersUnreadable when the headers cannot be read any more."""
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
        """What can be called at all: allowed, still there, and its server enabled."""
        there = Q(server__is_enabled=True) | Q(server=None, name__in=list(builtin.registered()))
        return self.filter(there, is_allowed=True, is_gone=False, fault="").select_related("server")

    def usable_by(self, user: User | AnonymousUser) -> Self:
        """What the person may have models use, in an order that does not change between turns."""
        if not user.is_authenticated:
            return self.none()
        # By primary keys: a join with groups would repeat a tool that several of the person's groups may use.
        for_all, for_theirs = Q(groups=None, is_narrowed=False), Q(groups__in=user.groups.all())
        return self.usable().filter(pk__in=Tool.objects.filter(for_all | for_theirs).values("pk")).order_by("wire_name")


class Tool(models.Model):
    """Something that a model can call: a server's tool, or, without a server, one that is built in."""

    server = models.ForeignKey(ToolServer, models.CASCADE, null=True, related_name="tools", editable=False)
    name = models.CharField(max_length=200, editable=False)
    wire_name = models.CharField(max_length=64, unique=True, editable=False)
    title = models.CharField(max_length=200, blank=True, editable=False)
    description = models.TextField(blank=True, editable=False)
    input_schema = models.JSONField(default=dict, editable=False)
    annotations = models.JSONField(default=dict, editable=False)
    # What makes it unusable: one schema that is none would have a whole request refused.
    fault = models.CharField(max_length=300, blank=True, editable=False)
    is_allowed = models.BooleanField("allowed", default=False)
    ask_first = models.BooleanField("ask first", default=True)
    call_timeout = _call_timeout()
    # None: everybody; unless the tool was narrowed to groups that are deleted since, which opens it to nobody.
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
        """Whose it is, for people."""
        return self.server.name if self.server else "Built in"

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        return float(self.call_timeout or self.timeout_by_default)

    @property
    def timeout_by_default(self) -> float:
        return self.server.timeout if self.server else float(settings.TOOL_CALL_TIMEOUT)

    @property
    def definition(self) -> dict[str, Any]:
        """The entry in a request's `tools`, as the Messages API has it."""
        schema = {key: value for key, value in self.input_schema.items() if key not in _NOT_AT_THE_ROOT}
        description = self.description or self.title or self.name
        return {"name": self.wire_name, "description": description, "input_schema": {"type": "object"} | schema}

    @property
    def hints(self) -> list[str]:
        """What the server says of its tool; it need not be true."""
        said = self.annotations
        if said.get("readOnlyHint") is True:
            return ["reads only"]
        return ["may destroy"] if said.get("destructiveHint") is True else []

    @transaction.atomic
    def narrow(self, groups: Iterable[Group]) -> None:
        """From now on it is for the people in one of the groups; for everybody, when there is none."""
        self.groups.set(groups)
        self.is_narrowed = self.groups.exists()
        self.save(update_fields=["is_narrowed"])

    def allow(self, is_allowed: bool) -> None:
        self.is_allowed = is_allowed
        self.save(update_fields=["is_allowed"])
