"""Guesses whether a model accepts images and PDF files when neither its server nor an administrator says so."""

import re
from typing import Final

from upstreams.endpoint import ProtocolName

_SEEING: Final = re.compile(
    r"vision|multimodal|[-_.]vl\b|\d(\.\d+)?-?vl|llava|pixtral|claude|gemini|gpt-4o|gpt-4\.1|gpt-4-turbo|gpt-[5-9]|"
    r"\bo[1345](-|$)|gemma-?[3-9]|llama-?(3\.2.*vision|4)|mistral-(small|medium)-?3|minicpm-v|moondream|internvl|grok-4",
    re.IGNORECASE,
)
_TEXT_ONLY: Final = re.compile(r"o1-mini|o3-mini|o1-preview|gemma-?3:?-?(270m|1b)|gpt-oss", re.IGNORECASE)


def sees_images(protocol: ProtocolName, model_id: str) -> bool:
    """All models behind the Messages API do. Others are recognised by their names."""
    if protocol is ProtocolName.ANTHROPIC:
        return True
    return bool(_SEEING.search(model_id)) and not _TEXT_ONLY.search(model_id)


def reads_pdf(protocol: ProtocolName, model_id: str) -> bool:
    """Few Chat Completions servers accept files. The others get the text of a PDF."""
    return protocol is ProtocolName.ANTHROPIC
