"""The names by which models know tools."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.names import is_builtin_name, unique_slug, wire_name

TAKEN_BY_MODELS = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def test_a_valid_name_follows_the_slug_of_its_server():
    assert wire_name("drawer", "read_file") == "drawer__read_file"


@given(st.text(min_size=1, max_size=200))
def test_every_name_becomes_valid_for_models(name):
    assert TAKEN_BY_MODELS.fullmatch(wire_name("drawer", name))


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_different_tools_have_different_names(one, other):
    assert (wire_name("drawer", one) == wire_name("drawer", other)) == (one == other)


def test_the_same_tool_on_two_servers_has_two_names():
    long = "x" * 200
    assert wire_name("a", long) != wire_name("b", long) and wire_name("a", "b") != wire_name("a-b", "b")


@pytest.mark.parametrize(
    ("name", "taken", "made"),
    [
        ("Company Wiki", set(), "company-wiki"),
        ("Company__Wiki_", {"company-wiki"}, "company-wiki-2"),
        ("Склад", set(), "server"),
        ("Склад 2", {"server", "2"}, "2-2"),
        ("A very long name that nobody would type twice", set(), "a-very-long-name-that-no"),
    ],
)
def test_a_slug_is_unique_and_has_no_underscores(name, taken, made):
    assert unique_slug(name, taken) == made


@given(st.text(max_size=80))
def test_a_servers_tool_never_has_a_built_in_name(name):
    assert not is_builtin_name(wire_name(unique_slug(name, set()), name or "x"))
