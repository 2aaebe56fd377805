"""The addresses of the API key pages."""

from django.urls import path

from gateway.views import everybody, keys

urlpatterns = [
    path("account/keys/", keys.index, name="api_keys"),
    path("account/keys/<int:key_pk>/revoke/", keys.revoke, name="api_key_revoke"),
    path("settings/keys/", everybody.index, name="everybodys_api_keys"),
    path("settings/keys/<int:key_pk>/revoke/", everybody.revoke, name="everybodys_api_key_revoke"),
]
