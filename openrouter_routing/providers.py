"""The providers behind OpenRouter: what each is called on the wire and in preferences.

An answer names its provider by display name (`"provider": "Google"`), preferences name it by
slug (`"order": ["google-vertex"]`), and an endpoint adds a variant (`"google-vertex/us-east5"`).
This module tells which of those mean the same company. The table is a snapshot of the public API
description; what `GET /providers` answers can be added to it at run time.

See https://openrouter.ai/docs/features/provider-routing and
https://openrouter.ai/docs/api-reference/providers/list-providers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

__all__ = [
    "known_providers",
    "learn_providers",
    "meant_provider",
    "provider_slug",
    "same_provider",
]

_DISPLAY_NAMES: Mapping[str, str] = {
    "01-ai": "01.AI",
    "ai21": "AI21",
    "aion-labs": "AionLabs",
    "akashml": "AkashML",
    "alibaba": "Alibaba",
    "amazon-bedrock": "Amazon Bedrock",
    "amazon-nova": "Amazon Nova",
    "ambient": "Ambient",
    "anthropic": "Anthropic",
    "anyscale": "AnyScale",
    "arcee-ai": "Arcee AI",
    "assemblyai": "AssemblyAI",
    "atlas-cloud": "AtlasCloud",
    "atoma": "Atoma",
    "avian": "Avian",
    "azure": "Azure",
    "baidu": "Baidu",
    "baseten": "BaseTen",
    "black-forest-labs": "Black Forest Labs",
    "byteplus": "BytePlus",
    "cent-ml": "Cent-ML",
    "cerebras": "Cerebras",
    "chutes": "Chutes",
    "cirrascale": "Cirrascale",
    "clarifai": "Clarifai",
    "claude-on-aws": "Claude Platform on AWS",
    "cloudflare": "Cloudflare",
    "cohere": "Cohere",
    "coreweave": "CoreWeave",
    "cosine": "Cosine",
    "crofai": "CrofAI",
    "crucible": "Crucible",
    "crusoe": "Crusoe",
    "darkbloom": "Darkbloom",
    "databricks": "Databricks",
    "decart": "Decart",
    "deepgram": "Deepgram",
    "deepinfra": "DeepInfra",
    "deepseek": "DeepSeek",
    "dekallm": "DekaLLM",
    "digitalocean": "DigitalOcean",
    "elevenlabs": "ElevenLabs",
    "enfer": "Enfer",
    "fake-provider": "FakeProvider",
    "featherless": "Featherless",
    "fireworks": "Fireworks",
    "fish-audio": "Fish Audio",
    "friendli": "Friendli",
    "gmicloud": "GMICloud",
    "google-ai-studio": "Google AI Studio",
    "google-vertex": "Google",
    "gopomelo": "GoPomelo",
    "groq": "Groq",
    "heygen": "HeyGen",
    "huggingface": "HuggingFace",
    "hyperbolic": "Hyperbolic",
    "inception": "Inception",
    "inceptron": "Inceptron",
    "inferact-vllm": "Inferact vLLM",
    "inference-net": "InferenceNet",
    "infermatic": "Infermatic",
    "inflection": "Inflection",
    "inocloud": "InoCloud",
    "io-net": "Io Net",
    "ionstream": "Ionstream",
    "kluster": "Kluster",
    "krea": "Krea",
    "lambda": "Lambda",
    "lepton": "Lepton",
    "liquid": "Liquid",
    "lynn": "Lynn",
    "makora": "Makora",
    "mancer": "Mancer 2",
    "mara": "Mara",
    "meta": "Meta",
    "minimax": "Minimax",
    "mistral": "Mistral",
    "modal": "Modal",
    "modelrun": "ModelRun",
    "modular": "Modular",
    "moonshotai": "Moonshot AI",
    "morph": "Morph",
    "ncompass": "NCompass",
    "near-ai": "Near AI",
    "nebius": "Nebius",
    "nex-agi": "Nex AGI",
    "nextbit": "NextBit",
    "nineteen": "Nineteen",
    "novita": "Novita",
    "nvidia": "Nvidia",
    "octoai": "OctoAI",
    "ollama": "Ollama",
    "open-inference": "OpenInference",
    "openai": "OpenAI",
    "parasail": "Parasail",
    "pareto-alpha": "ParetoAlpha",
    "perceptron": "Perceptron",
    "perplexity": "Perplexity",
    "phala": "Phala",
    "poolside": "Poolside",
    "primeintellect": "PrimeIntellect",
    "quiver": "Quiver",
    "recraft": "Recraft",
    "recursal": "Recursal",
    "recursive": "Recursive",
    "reflection": "Reflection",
    "reka": "Reka",
    "relace": "Relace",
    "replicate": "Replicate",
    "respan": "Respan",
    "runway": "Runway",
    "sail-research": "Sail Research",
    "sakana-ai": "Sakana AI",
    "sambanova": "SambaNova",
    "scaledown": "ScaleDown",
    "seed": "Seed",
    "sf-compute": "SF Compute",
    "siliconflow": "SiliconFlow",
    "sourceful": "Sourceful",
    "stealth": "Stealth",
    "stepfun": "StepFun",
    "streamlake": "StreamLake",
    "switchpoint": "Switchpoint",
    "targon": "Targon",
    "tencent": "Tencent",
    "tenstorrent": "Tenstorrent",
    "thinkingmachines": "Thinking Machines",
    "together": "Together",
    "typesafe": "TypeSafe",
    "ubicloud": "Ubicloud",
    "unbiased": "Unbiased",
    "upstage": "Upstage",
    "venice": "Venice",
    "voyageai": "VoyageAI by MongoDB",
    "wafer": "Wafer",
    "wandb": "WandB",
    "xai": "xAI",
    "xiaomi": "Xiaomi",
    "z-ai": "Z.AI",
}

# Second deployments and former names that the wire still shows for the same company.
_ALIASES: Mapping[str, str] = {
    "Hyperbolic 2": "hyperbolic",
    "Lynn 2": "lynn",
    "Mancer": "mancer",
    "SambaNova 2": "sambanova",
    "Together 2": "together",
    "sakana": "sakana-ai",
    "wandb-legacy": "wandb",
}

# What people call a provider that has no such slug.
_NICKNAMES: Mapping[str, str] = {
    "aistudio": "google-ai-studio",
    "aws": "amazon-bedrock",
    "awsbedrock": "amazon-bedrock",
    "bedrock": "amazon-bedrock",
    "claude": "anthropic",
    "vertex": "google-vertex",
    "vertexai": "google-vertex",
}

# Anthropic's platform on AWS is listed both on its own and as a variant of Amazon Bedrock, so
# neither "the same" nor "another one" would be safe to claim.
_UNDECIDED = frozenset({frozenset({"claude-on-aws", "amazon-bedrock"})})


def _key(name: str) -> str:
    """Reduce a name to the letters and digits that display names and slugs share."""
    return "".join(character for character in name.casefold() if character.isalnum())


class _Table:
    """Names by slug and slugs by key; replaced as a whole so that readers need no lock."""

    def __init__(self, names: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        self.names = MappingProxyType(dict(names))
        self.aliases = MappingProxyType(dict(aliases))
        slugs = {_key(alias): slug for alias, slug in self.aliases.items()}
        slugs |= {_key(name): slug for slug, name in self.names.items()}
        slugs |= {_key(slug): slug for slug in self.names}
        self.slugs = MappingProxyType(slugs)


_table = _Table(_DISPLAY_NAMES, _ALIASES)
_learning = threading.Lock()


def provider_slug(name: str) -> str | None:
    """Find the base slug of a provider.

    Args:
        name: A display name (`"Google AI Studio"`), a slug (`"google-ai-studio"`) or an endpoint's
            slug with a variant (`"deepinfra/fp8"`), in any case.

    Returns:
        The slug without variant, or None when the provider is not known.

    Example:
        >>> provider_slug("Google"), provider_slug("DeepInfra/FP8"), provider_slug("nobody")
        ('google-vertex', 'deepinfra', None)
    """
    base = name.partition("/")[0]
    return _table.slugs.get(_key(base))


def meant_provider(name: str) -> str | None:
    """Find the slug that is meant by what people call a provider.

    Args:
        name: A name that `provider_slug` does not know.

    Example:
        >>> meant_provider("bedrock"), meant_provider("AWS"), meant_provider("a-new-cloud")
        ('amazon-bedrock', 'amazon-bedrock', None)
    """
    return _NICKNAMES.get(_key(name.partition("/")[0]))


def same_provider(a: str, b: str) -> bool | None:
    """Tell whether two names mean the same provider, whatever variant they add.

    Args:
        a: A display name, slug, or slug with variant.
        b: Another one.

    Returns:
        True or False, or None when it cannot be judged: a name that is not in the table may be
        the display name of any slug.

    Example:
        >>> same_provider("Google", "google-vertex/us-east5"), same_provider("OpenAI", "azure")
        (True, False)
        >>> print(same_provider("Some Unheard-of Cloud", "openai"))
        None
    """
    if (key := _key(a.partition("/")[0])) and key == _key(b.partition("/")[0]):
        return True
    first, second = provider_slug(a), provider_slug(b)
    if first is None or second is None or frozenset({first, second}) in _UNDECIDED:
        return None
    return first == second


def known_providers() -> Mapping[str, str]:
    """List the known providers.

    Returns:
        A read-only mapping of slug to display name, sorted by slug; a snapshot that later
        learning does not change.

    Example:
        >>> known_providers()["amazon-bedrock"]
        'Amazon Bedrock'
    """
    return _table.names


def learn_providers(entries: Iterable[Mapping[str, object]]) -> None:
    """Extend the table by what `GET /providers` answered, for this process.

    A display name that changed replaces the old one, which stays valid as an alias. Safe to call
    from several threads.

    Args:
        entries: The objects of the answer's `data` list; `name` and `slug` of each are read.

    An entry without a `name` or a `slug` is passed over: there is nothing in it to recognize a provider by.

    Example:
        >>> learn_providers([{"name": "Brand New Cloud", "slug": "brand-new-cloud"}])
        >>> provider_slug("Brand New Cloud")
        'brand-new-cloud'
    """
    learned = [pair for entry in entries if (pair := _name_and_slug(entry)) is not None]
    global _table
    with _learning:
        names, aliases = dict(_table.names), dict(_table.aliases)
        for name, slug in learned:
            base, _, variant = slug.partition("/")
            # A variant with a display name of its own must not rename the provider it belongs to.
            if variant and base in names:
                aliases[name] = base
                continue
            if (former := names.get(base)) is not None and former != name:
                aliases[former] = base
            names[base] = name
            aliases = {
                alias: known for alias, known in aliases.items() if _key(alias) != _key(name)
            }
        _table = _Table(dict(sorted(names.items())), aliases)


def _name_and_slug(entry: Mapping[str, object]) -> tuple[str, str] | None:
    name, slug = entry.get("name"), entry.get("slug")
    if not isinstance(name, str) or not isinstance(slug, str) or not _key(name) or not _key(slug):
        return None
    return name, slug
