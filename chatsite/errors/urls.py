"""The URLs of the page "Errors"."""

from django.urls import path

from chatsite.errors import views

urlpatterns = [
    path("", views.index, name="errors"),
    path("<int:group_pk>/", views.show, name="error"),
    path("<int:group_pk>/resolve/", views.resolve, name="error_resolve"),
    path("<int:group_pk>/reopen/", views.reopen, name="error_reopen"),
]
