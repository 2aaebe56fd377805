"""Static files under names that change with their content, so that browsers may keep them for ever."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Addresses inside JavaScript modules are rewritten too."""

    support_js_module_import_aggregation = True
