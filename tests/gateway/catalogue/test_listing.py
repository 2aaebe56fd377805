"""The list of models, for clients of both protocols."""

from datetime import UTC, datetime

from gateway.catalogue.listing import ListedModel, render_list, render_model

OLD = ListedModel("old", "Old", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), 200_000, 8192, "Ours")
NEW = ListedModel("org/new:1", "New", datetime(2026, 1, 1, tzinfo=UTC), None, None, "Theirs")


def test_a_model_has_the_fields_of_both_protocols() -> None:
    assert render_model(OLD) == {
        "type": "model",
        "object": "model",
        "id": "old",
        "display_name": "Old",
        "created_at": "2025-01-02T03:04:05Z",
        "created": 1735787045,
        "owned_by": "Ours",
        "max_input_tokens": 200_000,
        "max_tokens": 8192,
    }
    assert not {"max_input_tokens", "max_tokens"} & set(render_model(NEW))


def test_all_models_are_one_page_with_the_newest_first() -> None:
    told = render_list([OLD, NEW])
    assert told == {
        "object": "list",
        "data": [render_model(NEW), render_model(OLD)],
        "has_more": False,
        "first_id": "org/new:1",
        "last_id": "old",
    }


def test_there_may_be_no_models() -> None:
    assert render_list([]) == {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
