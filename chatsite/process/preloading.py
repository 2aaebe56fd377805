"""Loads the files that pages and answers need at the start, because later it may not be possible to open them.

A process without free file descriptors can still use its connections and its memory.
"""

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template.loader import get_template
from django.urls import get_resolver

from chatsite.templatetags.icons import open_icons
from conversations.live import broadcasts


def preload() -> None:
    open_icons()
    load_templates()
    for is_behind in (True, False):
        broadcasts.render_saving_delay(is_behind)
    # Both load when they are first used.
    _ = get_resolver().url_patterns, bool(staticfiles_storage)


def load_templates() -> None:
    """Loads the site's own templates. The engine keeps them."""
    folder = settings.BASE_DIR / "templates"
    for file in sorted(folder.rglob("*.html")):
        get_template(str(file.relative_to(folder)))
