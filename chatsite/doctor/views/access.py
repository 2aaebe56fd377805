"""Guards all views of the page, sync and async."""

from django.contrib.auth.decorators import permission_required

administrators_only = permission_required("chatsite.view_process", raise_exception=True)
