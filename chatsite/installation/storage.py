"""Gives static files names that change with their content, so that browsers can cache them forever."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Also rewrites the URLs of imports in JavaScript modules."""

    support_js_module_import_aggregation = True
