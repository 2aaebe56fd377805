"""What `manage.py serve` and `manage.py prepare` have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts import set_up
from chatsite import keys
from chatsite.addresses import build_site_url
from chatsite.installation.private_files import protect_files
from chatsite.installation.unfinished import describe_unfinished_restore
from chatsite.installation.uploads_check import check_uploads
from chatsite.installation.version import list_pending_migrations, require_known_schema
from chatsite.postgresql import wait_for_database
from chatsite.process import lease
from tools.catalogue import sync_builtin_tools
from upstreams.catalogue.environment import sync_providers

ADVISORY_LOCK: Final = 8_231_507_466_130
"""Any number that nobody else uses in this database."""
IN_USE = (
    "Processes of an earlier version are using the database. Run `python manage.py prepare` to update it for this "
    "version, and start again."
)


class PreparingCommand(BaseCommand):
    # System checks query the database, which may not be reachable yet. `make lint` runs them.
    requires_system_checks = ()

    def protect_files(self) -> None:
        if unprotected := protect_files():
            self.stderr.write(unprotected)

    def require_whole_data(self) -> None:
        wait_for_database()
        if unfinished := describe_unfinished_restore():
            raise CommandError(unfinished)
        check_uploads()

    def prepare_database(self, *, may_have_company: bool, accepts_sealing_key: bool = False) -> None:
        """Migrates the database, and adds the first administrator, providers and tools. One process at a time does.

        Without `may_have_company`, refuses to migrate a database that other processes are using. `accepts_sealing_key`
        is for a SEALING_KEY in place of one that is lost.
        """
        with one_at_a_time():
            self.migrate(may_have_company=may_have_company)
            # Before anything is sealed.
            for note in keys.adopt_keys(accepts_sealing_key=accepts_sealing_key):
                self.stdout.write(note)
            self.create_administrator()
            sync_providers()
            sync_builtin_tools()

    def migrate(self, *, may_have_company: bool) -> None:
        require_known_schema()
        if pending := list_pending_migrations():
            if not may_have_company and lease.is_in_use():
                raise CommandError(IN_USE)
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


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keeps other processes out of the block. On SQLite, the lock of DATA_DIR has done so already."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    try:
        yield
    finally:
        # If the connection is lost, so is the lock.
        if connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])
