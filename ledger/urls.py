"""The addresses of the ledger's pages."""

from django.urls import path

from ledger.views import exports, usage

urlpatterns = [
    path("account/usage/", usage.own, name="my_usage"),
    path("account/usage/table.csv", exports.own_table, name="my_usage_table"),
    path("account/usage/calls.csv", exports.own_calls, name="my_usage_calls"),
    path("settings/usage/", usage.everybodys, name="usage"),
    path("settings/usage/table.csv", exports.everybodys_table, name="usage_table"),
    path("settings/usage/calls.csv", exports.everybodys_calls, name="usage_calls"),
]
