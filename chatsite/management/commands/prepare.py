"""`manage.py prepare`: does what `serve` does before it serves, for another ASGI server."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chatsite.installation.start_faults import FAULTS, describe_start_fault
from chatsite.installation.static_files import collect_if_changed
from chatsite.management.preparing import PreparingCommand


class Command(PreparingCommand):
    help = "Prepares the site (static files, database, first administrator, providers, tools) for an ASGI server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--accept-sealing-key",
            action="store_true",
            help="take this SEALING_KEY although the database was sealed with another, which is lost",
        )

    def handle(self, *args: Any, accept_sealing_key: bool, **options: Any) -> None:
        try:
            self.protect_files()
            self.require_whole_data()
            collect_if_changed()
            self.prepare_database(may_have_company=True, accepts_sealing_key=accept_sealing_key)
            self.announce_set_up()
        except FAULTS as fault:
            raise CommandError(describe_start_fault(fault)) from fault
