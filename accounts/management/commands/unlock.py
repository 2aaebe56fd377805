"""`manage.py unlock USERNAME`: lets somebody in again who cannot sign in, for example the only administrator."""

from argparse import ArgumentParser
from secrets import token_urlsafe
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.throttling import forget_failures
from chatsite.installation.start_faults import FAULTS, describe_start_fault


class Command(BaseCommand):
    help = "Activates an account, ends its wait after wrong passwords, and prints a new password for it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--administrator", action="store_true", help="also gives the account all rights")

    def handle(self, *args: Any, username: str, administrator: bool, **options: Any) -> None:
        try:
            self.unlock(username, administrator=administrator)
        except FAULTS as fault:
            raise CommandError(describe_start_fault(fault)) from fault

    def unlock(self, username: str, *, administrator: bool) -> None:
        person = User.objects.filter(username__iexact=username).first()
        if person is None:
            raise CommandError(self.describe_missing(username))
        password = token_urlsafe(12)
        person.set_password(password)
        person.is_active = True
        if administrator:
            person.is_staff = person.is_superuser = True
        person.save()
        forget_failures(person.username)
        self.stdout.write(f"{person.username} can sign in with the password {password}")
        self.stdout.write("Change it under “Your account”. The person's other sessions have ended.")

    def describe_missing(self, username: str) -> str:
        administrators = User.objects.filter(is_superuser=True).order_by("username").values_list("username", flat=True)
        return f"No user is called “{username}”. Administrators are: {', '.join(administrators) or 'none'}."
