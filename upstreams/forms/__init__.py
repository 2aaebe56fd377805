"""The forms of the provider pages."""

from upstreams.forms.chat_model import ChatModelForm
from upstreams.forms.provider import ProviderForm, TrialForm

__all__ = ["ChatModelForm", "ProviderForm", "TrialForm"]
