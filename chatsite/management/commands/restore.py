"""`manage.py restore`: puts a backup in the place of an empty site."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.backups.archive import BackupFault
from chatsite.backups.making import Report
from chatsite.backups.restoring import restore_backup
from chatsite.failures.faults import UploadsUnavailable


class Command(BaseCommand):
    help = "Verifies a backup and restores it into an empty DATA_DIR and an empty database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the backup to read, or - for the standard input")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            report = self.restore(file)
        except (BackupFault, UploadsUnavailable) as fault:
            raise CommandError(f"The backup was not restored. {fault}") from fault
        except OSError as error:
            raise CommandError(f"The backup was not restored. {error.strerror}: {error.filename or file}.") from error
        for warning in report.warnings:
            self.stderr.write(warning)
        self.stdout.write(f"Restored the database and {report.files} attached files. Start the site with `make serve`.")

    def restore(self, file: str) -> Report:
        if file == "-":
            return restore_backup(sys.stdin.buffer, None, self.stdout.write)
        with open(file, "rb") as source:
            return restore_backup(source, Path(file), self.stdout.write)
