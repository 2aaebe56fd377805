"""`manage.py prepare`: does what `serve` does before it serves, for another ASGI server."""

from typing import Any

from django.core.management.base import CommandError

from chatsite.installation.start_faults import FAULTS, describe_start_fault
from chatsite.installation.static_files import collect_if_changed
from chatsite.management.preparing import PreparingCommand


class Command(PreparingCommand):
    help = "Prepares the site (static files, database, first administrator, providers, tools) for an ASGI server."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.protect_files()
            self.require_whole_data()
            collect_if_changed()
            self.prepare_database(may_have_company=True)
            self.announce_set_up()
        except FAULTS as fault:
            raise CommandError(describe_start_fault(fault)) from fault
