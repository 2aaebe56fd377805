"""Packages that only some settings need."""

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured


def require(setting: str, *packages: str) -> None:
    """Raises ImproperlyConfigured if one of the packages is missing that `setting` needs."""
    if missing := [package for package in packages if find_spec(package) is None]:
        raise ImproperlyConfigured(
            f"{setting} needs packages that are not installed ({', '.join(missing)}). `make serve` installs them. "
            "Without make, run `pip install --require-hashes -r requirements-scale.txt` in the virtual environment."
        )
