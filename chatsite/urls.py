"""The addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.urls")),
    path("settings/", include("upstreams.urls")),
    path("settings/tools/", include("tools.urls")),
    path("settings/errors/", include("chatsite.errors.urls")),
    path("settings/system/", include("chatsite.doctor.urls")),
    path("", include("ledger.urls")),
    path("", include("gateway.urls")),
    path("", include("conversations.urls")),
]

handler400 = "chatsite.views.bad_request"
handler500 = "chatsite.views.server_error"
