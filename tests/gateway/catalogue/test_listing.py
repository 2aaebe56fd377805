"""The list of models, for clients of both protocols."""

from datetime import UTC, datetime

from gateway.catalogue.listing import ListedModel, listing, one

OLD = ListedModel("old", "Old", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), 200_000, 8192, "Ours")
NEW = ListedModel("org/new:1", "New", datetime(2026, 1, 1, tzinfo=UTC), None, None, "Theirs")


def test_a_model_has_the_fields_of_both_protocols() -> None:
    assert one(OLD) == {
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
    assert not {"max_input_tokens", "max_tokens"} & set(one(NEW))


def test_all_models_are_one_page_with_the_newest_first() -> None:
    told = listing([OLD, NEW])
    assert told == {
        "object": "list",
        "data": [one(NEW), one(OLD)],
        "has_more": False,
        "first_id": "org/new:1",
        "last_id": "old",
    }


def test_there_may_be_no_models() -> None:
    assert listing([]) == {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
