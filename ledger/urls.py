"""The URLs of the ledger's pages."""

from django.urls import path

from ledger.views import budgets, exports, usage

urlpatterns = [
    path("account/usage/", usage.own, name="my_usage"),
    path("account/usage/table.csv", exports.own_table, name="my_usage_table"),
    path("account/usage/calls.csv", exports.own_calls, name="my_usage_calls"),
    path("settings/usage/", usage.all_people, name="usage"),
    path("settings/usage/table.csv", exports.all_table, name="usage_table"),
    path("settings/usage/calls.csv", exports.all_calls, name="usage_calls"),
    path("settings/budgets/", budgets.index, name="budgets"),
    path("settings/budgets/add/", budgets.add, name="budget_add"),
    path("settings/budgets/<int:budget_pk>/", budgets.edit, name="budget"),
    path("settings/budgets/<int:budget_pk>/remove/", budgets.remove, name="budget_remove"),
    path("settings/limits/add/", budgets.add_limit, name="limit_add"),
    path("settings/limits/<int:limit_pk>/", budgets.edit_limit, name="limit"),
    path("settings/limits/<int:limit_pk>/remove/", budgets.remove_limit, name="limit_remove"),
]
