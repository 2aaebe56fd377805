"""What a check finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "OK"
    LOOK = "To look at"
    BROKEN = "Broken"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Contains no secret: the page and the console show it."""

    level: Level
    words: str
    """What it is, in a sentence."""
    advice: str = ""
    """What to do, in a sentence. Empty only for OK."""


type Check = Callable[[], Iterable[Diagnosis]]


def ok(words: str) -> Diagnosis:
    return Diagnosis(Level.OK, words)


def look_at(words: str, advice: str) -> Diagnosis:
    return Diagnosis(Level.LOOK, words, advice)


def broken(words: str, advice: str) -> Diagnosis:
    return Diagnosis(Level.BROKEN, words, advice)


def count(number: int, noun: str) -> str:
    """1 file, 2 files, 1,200 files, 2 processes."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def split(sentences: str) -> tuple[str, str]:
    """Splits words that say first what it is, and then what to do."""
    words, _, advice = sentences.partition(". ")
    return f"{words.rstrip('.')}.", advice
