"""A model server that tells the story a question asks for, and continues a story that it finds begun."""

from tests.fakes import ModelServer, Request
from tests.steps import Answer, Gate, Pause, Step
from tests.wires import is_text, reply_wire
from upstreams.endpoint import ProtocolName

PACE = 0.05
"""Seconds between two words."""
LONG = 100
"""Words: a story of so many waits in its middle until the test opens `middle`."""
ASKING = "Continue exactly where it stopped"


def story(number: int, length: int) -> str:
    return " ".join(f"{number}.{word}" for word in range(length))


class Storyteller(ModelServer):
    """Answers "Story 3, 40 words" with that story."""

    def __init__(self, protocol: ProtocolName) -> None:
        super().__init__(protocol)
        self.middle = Gate()

    def _answer_to(self, request: Request) -> Answer:
        if request.method == "GET":
            return super()._answer_to(request)
        messages = [(each["role"], flatten(each["content"])) for each in request.json["messages"]]
        question = next(text for role, text in messages if role == "user" and text.startswith("Story "))
        number, length = (int(word) for word in question.replace(",", "").split() if word.isdigit())
        told = "".join(text for role, text in messages if role == "assistant")
        whole = story(number, length)
        assert whole.startswith(told), (whole, told)
        steps: list[Step] = []
        words = len(told.split())
        for event in reply_wire(self.protocol, split_words(whole[len(told) :])):
            steps.append(event)
            if is_text(event):
                words += 1
                steps.append(self.middle if length >= LONG and words == length // 2 else Pause(PACE))
        return Answer(steps)

    def close_middle(self) -> None:
        """Makes the stories that begin from now on wait in their middle."""
        self.middle = Gate()

    @property
    def was_asked_to_continue(self) -> bool:
        """Whether somebody has asked it to continue, in the way of its protocol."""
        last = [request.json["messages"][-1] for request in self.requests if request.method == "POST"]
        if self.protocol is ProtocolName.ANTHROPIC:
            return any(message["role"] == "assistant" for message in last)
        return any(ASKING in str(message) for message in last)


def flatten(content: object) -> str:
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content)
    return str(content or "")


def split_words(text: str) -> list[str]:
    first, *words = text.split(" ")
    return [first, *(f" {word}" for word in words)] if first else [f" {word}" for word in words]
