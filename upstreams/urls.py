"""The URLs of the provider pages."""

from django.urls import path
from django.views.generic import RedirectView

from upstreams.views import chat_models, providers, trials

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="providers"), name="settings"),
    path("providers/", providers.index, name="providers"),
    path("providers/add/", providers.add, name="provider_add"),
    path("providers/trial/", trials.test_form, name="provider_trial_of_new"),
    path("providers/<int:pk>/", providers.show, name="provider"),
    path("providers/<int:pk>/edit/", providers.edit, name="provider_edit"),
    path("providers/<int:pk>/edit/trial/", trials.test_form, name="provider_trial_of_form"),
    path("providers/<int:pk>/enabling/", providers.set_enabled, name="provider_enabling"),
    path("providers/<int:pk>/delete/", providers.delete, name="provider_delete"),
    path("providers/<int:pk>/trial/", trials.test_provider, name="provider_trial"),
    path("providers/<int:pk>/listing/", trials.refresh_models, name="provider_listing"),
    path("providers/<int:provider_pk>/models/", chat_models.index, name="chat_models"),
    path("providers/<int:provider_pk>/models/add/", chat_models.add, name="chat_model_add"),
    path("providers/<int:provider_pk>/models/enabling/", chat_models.set_all_enabled, name="chat_models_enabling"),
    path("models/<int:pk>/", chat_models.edit, name="chat_model"),
    path("models/<int:pk>/enabling/", chat_models.set_enabled, name="chat_model_enabling"),
    path("models/<int:pk>/default/", chat_models.make_default, name="chat_model_default"),
    path("models/<int:pk>/delete/", chat_models.delete, name="chat_model_delete"),
]
