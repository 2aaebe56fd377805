"""Guards all views of the provider pages, sync and async."""

from django.contrib.auth.decorators import permission_required

administrators_only = permission_required("upstreams.change_provider", raise_exception=True)
