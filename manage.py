#!/usr/bin/env python
"""Administrative commands: `python manage.py serve` starts the site."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from chatsite.installation.start_faults import describe_file_fault

    try:
        _ = settings.DEBUG  # Loads the settings.
    except OSError as fault:
        sys.exit(describe_file_fault(fault))
    except (ImproperlyConfigured, ValueError) as fault:
        sys.exit(f"The settings cannot be used: {fault}")
    try:
        django.setup()
    except ImproperlyConfigured as fault:
        sys.exit(f"The settings cannot be used: {fault}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
