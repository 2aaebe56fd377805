"""What `manage.py serve` and `manage.py prepare` have in common."""

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts import set_up
from chatsite.addresses import build_site_url
from chatsite.installation.data_lock import describe_unfinished_restore
from chatsite.installation.private_files import protect_files
from chatsite.installation.version import list_pending_migrations, require_known_schema
from tools.catalogue import sync_builtin_tools
from upstreams.catalogue.environment import sync_providers


class PreparingCommand(BaseCommand):
    # System checks query the database, which may not be reachable yet. `make lint` runs them.
    requires_system_checks = ()

    def protect_files(self) -> None:
        if unprotected := protect_files():
            self.stderr.write(unprotected)

    def require_whole_data(self) -> None:
        if unfinished := describe_unfinished_restore():
            raise CommandError(unfinished)

    def prepare_database(self) -> None:
        """Migrates the database, and adds the first administrator, providers and tools."""
        connection.ensure_connection()
        self.migrate()
        self.create_administrator()
        sync_providers()
        sync_builtin_tools()

    def migrate(self) -> None:
        require_known_schema()
        if pending := list_pending_migrations():
            call_command("migrate", interactive=False, verbosity=0)
            self.stdout.write(f"Updated the database ({len(pending)} migration{'' if len(pending) == 1 else 's'}).")

    def create_administrator(self) -> None:
        try:
            if administrator := set_up.create_administrator_from_environment():
                self.stdout.write(f"Created the administrator {administrator.username}.")
        except set_up.NoPassword as refusal:
            self.stderr.write(str(refusal))

    def announce_set_up(self) -> None:
        if set_up.is_needed():
            self.stdout.write(f"Set up the first administrator at {set_up.make_link(build_site_url())}")
