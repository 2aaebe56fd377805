"""`manage.py move`: takes a site from SQLite to PostgreSQL."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.backups.archive import BackupFault
from chatsite.backups.moving import hide_password, move_to_postgresql


class Command(BaseCommand):
    help = "Copies the SQLite database of a stopped site into an empty PostgreSQL database, and compares all rows."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", help="the database to move to: postgres://user:password@host/name")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        try:
            differences = move_to_postgresql(url, self.stdout.write)
        except (BackupFault, ImproperlyConfigured) as fault:
            raise CommandError(f"The site was not moved. {fault}") from fault
        for difference in differences:
            self.stderr.write(difference)
        self.stdout.write(
            "Moved the database, and compared all rows. The SQLite database and the attached files are as they were. "
            "Set this line in .env, and start the site with `make serve`:\n"
            f"DATABASE_URL={hide_password(url)}"
        )
