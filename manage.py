#!/usr/bin/env python
"""Administrative commands: `python manage.py serve` starts the site."""

import os
import signal
import sys


def main() -> None:
    if os.getpid() == 1:
        # In a container, the system ignores signals for which the first process has no handler.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
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
