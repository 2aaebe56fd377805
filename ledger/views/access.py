"""Who may see what everybody used, and who may change budgets and limits."""

from django.contrib.auth.decorators import permission_required

readers_only = permission_required("ledger.view_usagesum", raise_exception=True)
keepers_only = permission_required("ledger.change_budget", raise_exception=True)
