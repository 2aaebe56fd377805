"""Initial values of the provider form for common servers."""

from dataclasses import dataclass, field
from typing import Any, Final

from upstreams.catalogue.environment import VENDORS, Vendor
from upstreams.models import Protocol


@dataclass(frozen=True, slots=True)
class Preset:
    slug: str
    name: str
    base_url: str
    note: str
    protocol: Protocol = Protocol.OPENAI
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def initial(self) -> dict[str, Any]:
        return {"name": self.name, "protocol": self.protocol, "base_url": self.base_url, **self.settings}


def _of(vendor: Vendor, slug: str, note: str) -> Preset:
    return Preset(slug, vendor.name, vendor.base_url, note, vendor.protocol, vendor.own_settings)


PRESETS: Final = {
    preset.slug: preset
    for preset in (
        _of(VENDORS["ANTHROPIC"], "anthropic", "Claude models, with a key from the Anthropic console."),
        _of(VENDORS["OPENAI"], "openai", "GPT models, with a key from the OpenAI platform."),
        Preset("ollama", "Ollama", "http://localhost:11434/v1", "Models on your own machine, without a key."),
        Preset(
            "llama-cpp",
            "llama.cpp",
            "http://localhost:8080/v1",
            "One model, served by llama-server. Needs a key only if it was started with one.",
            settings={"accepts_top_k": True},
        ),
        Preset(
            "vllm",
            "vLLM",
            "http://localhost:8000/v1",
            "Models on your own GPUs. Needs a key only if it was started with one.",
            settings={"accepts_top_k": True},
        ),
        Preset("litellm", "LiteLLM", "http://localhost:4000/v1", "A proxy to many vendors, with its own key."),
    )
}
