"""Thinking that a server leaves in the text, in every spelling, over both protocols, cut at any place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstreams.protocols import chunks, test_anthropic
from tests.upstreams.protocols.chunks import DONE, ROLE, STOP, says
from tests.upstreams.protocols.reading import Read, endpoint, read_body
from tests.upstreams.protocols.test_anthropic import TEXT, closed, delta, ending, opened, start
from upstreams.endpoint import ProtocolName

SPELLINGS = {
    "think": ("<think>\n", "\n</think>\n\n"),
    "upper case": ("<THINK>", "</THINK>"),
    "thinking": ("<thinking>", "</thinking>"),
    "thought": ("<thought>", "</thought>\n"),
    "reasoning": ("<reasoning>\n", "\n</reasoning>\n"),
    "seed": ("<seed:think>", "</seed:think>"),
    "Magistral": ("[THINK]", "[/THINK]"),
    "Kimi": ("◁think▷", "◁/think▷"),
    "Sky": ("<|begin_of_thought|>\n", "\n<|end_of_thought|>\n\n<|begin_of_solution|>"),
    "harmony": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "harmony with its start": (
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|channel|>final <|constrain|>JSON<|message|>",
    ),
}
UNOPENED = [
    "\n</think>\n\n",
    ".</think>",
    "\n</thought>\n",
    ".</reasoning>",
    "\n</thinking>",
    "</seed:think>\n",
    "\n[/THINK]",
    ".◁/think▷",
]


def say(protocol: ProtocolName, *texts: str) -> Read:
    if protocol is ProtocolName.OPENAI:
        return chunks.replay(ROLE, *map(says, texts), STOP, DONE)
    deltas = [delta("text_delta", text=text) for text in texts]
    return test_anthropic.replay(start(), opened(TEXT), *deltas, closed(), ending(), test_anthropic.STOP)


def cut_everywhere(text: str) -> list[list[str]]:
    return [[text], list(text), *([text[:cut], text[cut:]] for cut in range(1, len(text)))]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("protocol", ProtocolName)
def test_thinking_is_split_from_the_text(protocol: ProtocolName, spelling: str) -> None:
    opening, closing = SPELLINGS[spelling]
    for pieces in cut_everywhere(f"{opening}a < b [so] `x`{closing}Hello <think> [x]"):
        read = say(protocol, *pieces)
        assert (read.thinking, read.text) == ("a < b [so] `x`", "Hello <think> [x]")


IN_TEXT = [
    "<think>hm</think>Hello",
    "<think>\n\nhm\n</think>\n\nHello",
    " \n<THINK> hm\t</think>Hello",
    "[THINK]hm[/THINK] Hello",
    "<|begin_of_thought|>\nhm\n<|end_of_thought|>\n\n<|begin_of_solution|>\nHello",
    "hm.</think>\n\nHello",
    "hm\n</THINK>\nHello",
    "hm.◁/think▷Hello",
]


@pytest.mark.parametrize("text", IN_TEXT)
@pytest.mark.parametrize("protocol", ProtocolName)
def test_the_text_can_be_put_together_again(protocol: ProtocolName, text: str) -> None:
    for pieces in cut_everywhere(text):
        thought, said = say(protocol, *pieces).blocks
        before, after = thought["tags"]
        assert before + thought["thinking"] + after + said["text"] == text


@pytest.mark.parametrize(
    "text",
    [
        "<think>hm",
        "<think>One.</think><think>Two.</think>Hello",
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        "analysisWe greet.assistantfinalHello",
        "analysis\nWe greet.\n\nassistantfinal\n\nHello",
        "analysisWe greet.assistantfinal<|message|>Hello",
        "hm<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        "hm.</think><think>hm</think>Hello",
    ],
)
def test_thinking_that_cannot_be_sent_back_says_so(text: str) -> None:
    for pieces in cut_everywhere(text):
        assert say(ProtocolName.OPENAI, *pieces).blocks[0]["tags"] is None


@pytest.mark.parametrize("closing", UNOPENED)
@pytest.mark.parametrize("protocol", ProtocolName)
def test_a_closing_tag_needs_no_opening_one(protocol: ProtocolName, closing: str) -> None:
    for pieces in cut_everywhere(f"Hm, a < b `x`{closing}Hello"):
        read = say(protocol, *pieces)
        assert (read.thinking.strip(".\n"), read.text) == ("Hm, a < b `x`", "Hello")
        assert [block["type"] for block in read.blocks] == ["thinking", "text"]


@pytest.mark.parametrize("spelling", [name for name in SPELLINGS if not name.startswith(("harmony", "Sky"))])
@pytest.mark.parametrize("protocol", ProtocolName)
def test_a_model_may_think_again_before_it_answers(protocol: ProtocolName, spelling: str) -> None:
    opening, closing = SPELLINGS[spelling]
    for pieces in cut_everywhere(f"{opening}One.{closing}{opening}Two.{closing}Hello"):
        read = say(protocol, *pieces)
        assert ("".join(read.thinking.split()), read.text) == ("One.Two.", "Hello")


@pytest.mark.parametrize("closing", UNOPENED)
def test_a_reply_may_end_with_its_thinking(closing: str) -> None:
    for pieces in cut_everywhere(f"Hm{closing}"):
        read = say(ProtocolName.OPENAI, *pieces)
        assert (read.thinking.strip(".\n"), read.text) == ("Hm", "")


@pytest.mark.parametrize(
    "text",
    [
        "Example:\n\n    <think>\n    hm\n    </think>\n\nDone.",
        "~~~\n<think>\nhm.\n</think>\n~~~\nDone.",
        "Write\n<thinking>\nx\n</thinking>\nthen.",
        "Servers use [THINK] for it.\n[/THINK]\nends it.",
        "Finish with </think>",
        "Write `</think>` at the end.",
        "The model ends with </think> and goes on.",
        "```xml\n<think>\nx\n</think>\n```\nDone",
        "Use `<think>` and\n`</think>`.",
        "a <b> [link](x) ◁ b </thin",
        "<thin",
        "<thi> x",
        "[TH",
        "<|channel|> is a token",
        "<|start|>",
        "analysis of the data: assistantfinal is a word",
        "analysis",
        "Analysis: the assistantfinal mark",
        "final<|mess",
        "assistantfinal",
        "It ends with</think> as a mark.",
        "Tags:\n</think> closes",
        "analysis\n\nThe data shows a rise.\n\nThe final answer is 4.",
        "analysis\n\n- final results\n- assistant final draft\n",
        "analysis\nThe assistant\nis final.",
        "analysis of the data\n\nSo.\n\nfinal\n\nDone.",
        "analysis: so\nfinal\nDone.",
        "Analysis\n\nSo.\n\nFinal\n\nDone.",
        "Analysis\n\nSo.\n\nassistantfinal\n\nDone.",
        "## analysis\n\nSo.\n\nfinal\n\nDone.",
        "analysisTool is slow.\nfinal\nDone",
        "analysis\n\nThe tag `<|end|>` ends a message, `assistantfinal` is a remainder.\n",
        "analysis\n\nThe finalists.\n",
        "analyse\nfinal\n",
        "analysis\n",
        "analysis \t",
        "Write `<|end|><|start|>assistant<|channel|>final<|message|>` first.",
        "Write foo</think>bar in the template to close it.",
        "analysisTool: the program assistantfinalizes it.",
        "analysisA is a name; assistantfinal is another.",
        "It ends with </think>as a mark.",
        "x <|channel|>analysis<|message|> y",
        "Say <think>hm</think> aloud",
    ],
)
@pytest.mark.parametrize("protocol", ProtocolName)
def test_text_about_tags_stays_text(protocol: ProtocolName, text: str) -> None:
    for pieces in cut_everywhere(text):
        read = say(protocol, *pieces)
        assert (read.text, read.thinking) == (text, "")


def test_the_channels_of_the_harmony_format_are_text_or_thinking() -> None:
    text = (
        "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>analysis<|message|>Hm<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello<|return|>"
    )
    for pieces in cut_everywhere(text):
        read = say(ProtocolName.OPENAI, *pieces)
        said = [(block["type"], block[block["type"]]) for block in read.blocks]
        assert said == [("text", "I look."), ("thinking", "Hm"), ("text", "Hello")]


@pytest.mark.parametrize(
    ("text", "thinking", "said"),
    [
        ("analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Hello", "Hm", "Hello"),
        ("final<|message|>Hello<|return|>", "", "Hello"),
        ("assistant<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>H", "Hm", "H"),
        ("analysisWe need to greet.assistantfinalHello", "We need to greet.", "Hello"),
        ("analysisWe need to greet.assistantfinalhello", "We need to greet.", "hello"),
        ("analysisSo 2+2=4assistantfinalThe answer", "So 2+2=4", "The answer"),
        (" analysis\n\nWe greet.\n\nassistantfinal\n\nHello", "We greet.\n\n", "Hello"),
        ("analysis\nWe greet\nassistant\nfinal\nHello", "We greet\n", "Hello"),
        ("analysis\n\nWe greet.\n\nfinal\n\nHello", "We greet.\n", "Hello"),
        ("analysis \r\nWe greet.\r\nfinal\r\nHello", "We greet.\r", "Hello"),
        ("analysis\n\n我们问候。\nassistantfinal你好", "我们问候。\n", "你好"),
        ("analysisWe greet.assistantfinal<|message|>Hello", "We greet.", "Hello"),
        ("analysis\nHm<|end|><|start|>assistant<|channel|>final<|message|>Hi", "Hm", "Hi"),
        ("analysisWe greet.<|channel|>final<|message|>hello<|return|>", "We greet.", "hello"),
        ("Hm ok<|end|><|start|>assistant<|channel|>final<|message|>hello", "Hm ok", "hello"),
        ("Hm ok</think>Hello", "Hm ok", "Hello"),
        ("好的</think>你好", "好的", "你好"),
    ],
)
@pytest.mark.parametrize("protocol", ProtocolName)
def test_thinking_whose_first_tag_is_missing_is_found(
    protocol: ProtocolName, text: str, thinking: str, said: str
) -> None:
    for pieces in cut_everywhere(text):
        read = say(protocol, *pieces)
        assert (read.thinking, read.text) == (thinking, said)


def test_a_server_that_begins_with_a_closing_tag_has_not_thought() -> None:
    assert say(ProtocolName.OPENAI, "\n</think>\n\nHello").blocks == [{"type": "text", "text": "Hello"}]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_reply_in_one_piece_is_split_too(spelling: str) -> None:
    opening, closing = SPELLINGS[spelling]
    text = f"{opening}Hm{closing}Hello"
    chat = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    messages = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    for protocol, body in ((ProtocolName.OPENAI, chat), (ProtocolName.ANTHROPIC, messages)):
        read = read_body(endpoint(protocol), json.dumps(body).encode())
        assert (read.thinking, read.text) == ("Hm", "Hello")


_PARTS = st.sampled_from(
    [
        "Hm",
        "analysis",
        "assistantfinal",
        "analysis\n",
        "\nfinal\n",
        "<|end|>",
        "final<|message|>",
        " ",
        "\n",
        "`",
        ".",
        *UNOPENED,
        *(tag for pair in SPELLINGS.values() for tag in pair),
    ]
)


@given(st.lists(_PARTS, min_size=1, max_size=6), st.integers(0, 200))
def test_a_reply_reads_the_same_wherever_its_text_is_cut(parts: list[str], cut: int) -> None:
    text = "".join(parts)
    whole, cut_once = say(ProtocolName.OPENAI, text), say(ProtocolName.OPENAI, text[:cut], text[cut:])
    by_character = say(ProtocolName.OPENAI, *text)
    assert whole.blocks == cut_once.blocks == by_character.blocks
    assert whole.kind == cut_once.kind == by_character.kind
