"""Decides who may read everyone's usage, and who may change budgets and limits."""

from django.contrib.auth.decorators import permission_required

readers_only = permission_required("ledger.view_usagesum", raise_exception=True)
editors_only = permission_required("ledger.change_budget", raise_exception=True)
