"""The pages under /accounts/. allauth's other pages are left out on purpose."""

from allauth.account.views import logout
from django.urls import path

from accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("login/", views.SignIn.as_view(), name="account_login"),
    path("theme/", views.choose_theme, name="theme"),
    path("again/", views.signed_in_again, name="signed_in_again"),
    path("logout/", logout, name="account_logout"),
    path("password/", views.PasswordChange.as_view(), name="account_change_password"),
    path("shortcuts/", views.save_shortcuts, name="shortcuts"),
    path("set-up/<str:token>/", views.first_administrator, name="account_set_up"),
]
