"""The URLs of the page "System"."""

from django.urls import path

from chatsite.doctor.views import mail, page

urlpatterns = [
    path("", page.show, name="system"),
    path("socket/", page.report_socket, name="system_socket"),
    path("mail/", mail.send_test, name="system_mail"),
]
