"""The table of a provider's models: which are offered, the default, limits and prices."""

from decimal import Decimal

import pytest
from django.urls import reverse

from tests.upstreams.views.providers import model_of, provider
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(root, browser_of):
    return browser_of(root)


@pytest.fixture
def house():
    return provider()


def at(name, *args):
    return reverse(name, args=args)


def test_a_switch_offers_and_withdraws_a_model(house, admin):
    small = model_of(house, is_default=True)
    row = admin.post(at("chat_model_enabling", small.pk), {"enabled": "off"}, headers=HTMX).text
    small.refresh_from_db()
    assert (small.is_enabled, small.is_default) == (False, False)
    assert 'aria-checked="false"' in row and "0 of 1 offered" in row
    answer = admin.post(at("chat_model_enabling", small.pk), {"enabled": "on"})
    small.refresh_from_db()
    assert (small.is_enabled, answer["Location"]) == (True, f"{at('provider', house.pk)}#model-{small.pk}")


def test_the_star_makes_a_model_the_default(house, admin):
    old, new = model_of(house, "old", is_default=True), model_of(provider(name="Other"), "new")
    admin.post(at("chat_model_default", new.pk))
    old.refresh_from_db()
    assert (old.is_default, ChatModel.objects.default()) == (False, new)


def test_a_long_list_can_be_filtered_and_changed_with_its_filter(house, admin):
    for number in range(10):
        model_of(house, f"{'big' if number % 2 else 'small'}-{number}", is_enabled=False)
    table = admin.get(at("chat_models", house.pk), {"q": "BIG"}, headers=HTMX).text
    assert "big-1" in table and "small-0" not in table
    admin.post(at("chat_models_enabling", house.pk) + "?q=big", {"enabled": "on"})
    assert {model.model_id[:3] for model in ChatModel.objects.filter(is_enabled=True)} == {"big"}
    admin.post(at("chat_models_enabling", house.pk), {"enabled": "off"})
    assert not ChatModel.objects.filter(is_enabled=True).exists()


def test_a_model_is_added_by_hand(house, admin):
    admin.post(at("chat_model_add", house.pk), {"model_id": "house/large", "is_enabled": "on", "input_price": "0.25"})
    large = ChatModel.objects.get()
    assert (large.name, large.is_listed, large.is_enabled, large.input_price) == (
        "house/large",
        False,
        True,
        Decimal("0.25"),
    )


def test_a_model_cannot_be_added_twice(house, admin):
    model_of(house, "large")
    answer = admin.post(at("chat_model_add", house.pk), {"model_id": "large"})
    assert (answer.status_code, ChatModel.objects.count()) == (422, 1)
    assert "already has a model with this ID" in answer.text


def test_names_limits_and_prices_can_be_edited(house, admin):
    small = model_of(house)
    fields = {"model_id": "small", "name": "Small one", "supports_thinking": "on", "context_window": "8000"}
    admin.post(at("chat_model", small.pk), {**fields, "max_output_tokens": "500", "output_price": "1.5"})
    small.refresh_from_db()
    assert (str(small), small.supports_thinking, small.context_window, small.output_price) == (
        "Small one",
        True,
        8000,
        Decimal("1.5"),
    )
    assert (small.is_enabled, small.input_price) == (False, None)


def test_an_emptied_field_follows_the_server_again(house, admin):
    small = model_of(house, name="Mine", context_window=5, as_listed={"name": "Theirs", "context_window": 900})
    admin.post(at("chat_model", small.pk), {"name": "", "context_window": ""})
    small.refresh_from_db()
    assert (small.name, small.context_window) == ("Theirs", 900)


def test_the_id_of_a_listed_model_cannot_be_changed(house, admin):
    small = model_of(house, as_listed={"name": "small"})
    admin.post(at("chat_model", small.pk), {"model_id": "other"})
    small.refresh_from_db()
    assert small.model_id == "small"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("context_window", "0"), ("max_output_tokens", "-1"), ("input_price", "-0.01"), ("cache_read_price", "abc")),
        *(
            (field, str(number))
            for field in ("context_window", "max_output_tokens")
            for number in (2**31, 2**63, 10**30)
        ),
        *(("input_price", number) for number in ("1000000", "1e400", str(10**30))),
    ],
)
def test_invalid_figures_are_refused_at_their_fields(field, value, house, admin):
    small = model_of(house)
    answer = admin.post(at("chat_model", small.pk), {"model_id": "small", field: value})
    assert answer.status_code == 422 and field in answer.context["form"].errors


def test_only_unlisted_models_can_be_deleted(house, admin):
    listed, mine = model_of(house, "listed"), model_of(house, "mine", is_listed=False)
    assert admin.post(at("chat_model_delete", listed.pk)).status_code == 404
    admin.post(at("chat_model_delete", mine.pk))
    assert list(ChatModel.objects.all()) == [listed]


def test_prices_are_shown_as_entered(house, admin):
    model_of(house, input_price=Decimal("3.0000"), output_price=Decimal("0.2500"), cache_read_price=Decimal("100"))
    page = admin.get(at("provider", house.pk)).text
    assert ">3<" in page and ">0.25<" in page and ">100 / –<" in page
