"""Names as they are given today: without the address of a server and without the folders of a model's file."""

import re

from django.db.models import Q

# Defaults were once such as "OpenAI-compatible (localhost:11434)".
_DEFAULT_PROVIDER = re.compile(r"(Anthropic|OpenAI)-compatible \((?:localhost|\[[^\]]*\]|[\w.-]*[.:][\w.:-]*)(?::\d+)?\)")
_PATH = re.compile(r"(?:~|\.{1,2})?[/\\]|[a-z]:[/\\]|.*\\", re.IGNORECASE)
_MAY_BE_PATH = Q(model_name__regex=r"^[./~]") | Q(model_name__contains="\\") | Q(model_name__contains=":/")
_MAY_BE_DEFAULT = Q(provider_name__contains="-compatible (")


def strip_address(name):
    """Returns the provider's name without an address, or any other text with such names in it."""
    return _DEFAULT_PROVIDER.sub(r"\1-compatible server", name)


def strip_folders(name):
    if not _PATH.match(name):
        return name
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1].removesuffix(".gguf") or "model"


def rename_copies(model):
    """Renames models and providers in a table that has copies of their names."""
    rows = model.objects.order_by()
    for name in rows.filter(_MAY_BE_DEFAULT).values_list("provider_name", flat=True).distinct():
        rows.filter(provider_name=name).update(provider_name=strip_address(name))
    for name in rows.filter(_MAY_BE_PATH).values_list("model_name", flat=True).distinct():
        rows.filter(model_name=name).update(model_name=strip_folders(name))
