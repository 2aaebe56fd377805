"""Who may see and change providers: one guard, on every view of these pages, sync or async."""

from django.contrib.auth.decorators import permission_required

administrators_only = permission_required("upstreams.change_provider", raise_exception=True)
