"""Arguments from models, checked against schemas from servers."""

import pytest

from tools.arguments import find_argument_faults, find_schema_fault

NOTE = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
    },
    "required": ["title"],
    "additionalProperties": False,
    "$defs": {"tag": {"enum": ["red", "blue"]}},
}


@pytest.mark.parametrize("arguments", [{"title": "x"}, {"title": "x", "tags": ["red", "blue"]}])
def test_matching_arguments_have_no_faults(arguments):
    assert find_argument_faults(NOTE, arguments) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "'title' is a required property"),
        ({"title": 3}, "title: 3 is not of type 'string'"),
        ({"title": "x", "tags": ["green"]}, "tags.0: 'green' is not one of ['red', 'blue']"),
        ({"title": "x", "colour": 1}, "Additional properties are not allowed"),
        ("title", "The arguments must be an object."),
        (None, "The arguments must be an object."),
    ],
)
def test_a_fault_is_described_with_its_path(arguments, words):
    assert words in find_argument_faults(NOTE, arguments)


def test_only_the_first_faults_are_described():
    schema = {"type": "object", "required": [f"field-{number}" for number in range(100)]}
    assert len(find_argument_faults(schema, {}).splitlines()) == 5


def test_a_slow_pattern_is_not_checked():
    schema = {"type": "object", "properties": {"x": {"pattern": "^(a+)+$"}}}
    assert find_argument_faults(schema, {"x": "a" * 60 + "!"}) == ""


def test_multiplying_references_are_not_followed_for_ever():
    levels = {f"l{number}": {"allOf": [{"$ref": f"#/$defs/l{number + 1}"}] * 2} for number in range(60)}
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/l0"}}, "$defs": levels | {"l60": {}}}
    assert find_argument_faults(schema, {"x": 1}) == ""


@pytest.mark.parametrize("target", ["#", "#/$defs/nothing", "http://127.0.0.1:9/schema.json"])
def test_arguments_pass_when_a_reference_is_circular_or_remote(target):
    assert find_argument_faults({"type": "object", "allOf": [{"$ref": target}]}, {"x": 1}) == ""


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, "not describe an object"),
        ({}, "not describe an object"),
        ({"type": "array"}, "not describe an object"),
        ({"type": "object", "required": 5}, "is not valid"),
        ({"type": "object", "properties": {"x": {"type": "strange"}}}, "is not valid"),
        ({"type": "object", "description": "x" * 70_000}, "too large"),
        ({"type": "object", "description": "\0"}, "unprintable"),
        ({"type": "object", "description": "\ud800"}, "cannot be read"),
    ],
)
def test_an_invalid_schema_is_described(schema, words):
    assert words in find_schema_fault(schema)


def test_a_schema_that_is_too_deep_is_described():
    schema: dict = {"type": "object"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"x": schema}}
    assert "cannot be read" in find_schema_fault(schema)


def test_a_common_schema_is_valid():
    assert find_schema_fault(NOTE) == ""
