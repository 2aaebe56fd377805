"""Reads settings from the environment. A value that cannot be used is an error that names its variable."""

import math
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

FALSE = ("", "false", "off", "no", "n", "0")
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


class Environment(environ.Env):  # type: ignore[misc]
    def get_value(self, var: str, cast: Any = None, *arguments: Any, **options: Any) -> Any:
        """Raises ImproperlyConfigured if the variable is not of the type `cast`."""
        try:
            value = super().get_value(var, cast, *arguments, **options)
        except ValueError:
            value = math.nan
        is_known = cast is not bool or value or self.ENVIRON.get(var, "").strip().lower() in FALSE
        if not is_known or (cast in (int, float) and not math.isfinite(value)):
            raise ImproperlyConfigured(f"{var} must be {KINDS[cast]}.")
        return value
