"""The forms of the page."""

from django import forms


class TestMailForm(forms.Form):
    recipient = forms.EmailField(label="Send a test message to", max_length=254)
