"""Reads the token counts that upstreams report in either protocol."""

from upstreams.events import MAX_TOKENS


def read_count(reported: object) -> int | None:
    """Returns a whole number of tokens; None for anything else, which counts as not reported."""
    # The type is compared exactly, because a boolean is an `int`. Some servers write whole numbers as 12.0.
    if type(reported) is float and reported.is_integer():
        reported = int(reported)
    return reported if type(reported) is int and 0 <= reported <= MAX_TOKENS else None
