import threading
from collections.abc import Iterator

import pytest

from openrouter_routing import providers
from openrouter_routing.providers import (
    known_providers,
    learn_providers,
    provider_slug,
    same_provider,
)


@pytest.fixture(autouse=True)
def fresh_table() -> Iterator[None]:
    table = providers._table
    yield
    providers._table = table


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Google", "google-vertex"),
        ("google-vertex", "google-vertex"),
        ("GOOGLE-VERTEX/us-east5", "google-vertex"),
        ("Google AI Studio", "google-ai-studio"),
        ("amazon bedrock", "amazon-bedrock"),
        ("deepinfra/fp8", "deepinfra"),
        ("openai/flex", "openai"),
        ("Z.AI", "z-ai"),
        ("xAI", "xai"),
        ("Mancer 2", "mancer"),
        ("Together 2", "together"),
        ("Moonshot AI", "moonshotai"),
        ("AtlasCloud", "atlas-cloud"),
        ("InferenceNet", "inference-net"),
    ],
)
def test_any_spelling_of_a_provider_gives_its_slug(name: str, slug: str) -> None:
    assert provider_slug(name) == slug


@pytest.mark.parametrize("name", ["", "/", "nobody", "open ai research", "///"])
def test_an_unknown_name_gives_none(name: str) -> None:
    assert provider_slug(name) is None


def test_every_display_name_and_slug_of_the_table_finds_its_own_slug() -> None:
    for slug, name in known_providers().items():
        assert provider_slug(slug) == slug
        assert provider_slug(name) == slug
        assert provider_slug(f"{slug}/variant".upper()) == slug


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("Google", "google-vertex/europe", True),
        ("google-ai-studio", "Google", False),
        ("OpenAI", "azure", False),
        ("New Cloud", "new-cloud/fp8", True),
        ("New Cloud", "openai", None),
        ("New Cloud", "Other Cloud", None),
        ("", "", None),
        ("Claude Platform on AWS", "amazon-bedrock", None),
        ("Claude Platform on AWS", "claude-on-aws", True),
        ("Claude Platform on AWS", "openai", False),
    ],
)
def test_same_provider_says_so_only_when_it_can_know(a: str, b: str, verdict: bool | None) -> None:
    assert same_provider(a, b) is verdict
    assert same_provider(b, a) is verdict


def test_learning_adds_and_renames_and_keeps_the_former_name() -> None:
    before = known_providers()
    learn_providers(
        [
            {"name": "New Cloud", "slug": "new-cloud", "headquarters": "US"},
            {"name": "OpenAI Inc", "slug": "openai"},
            {"name": "Vertex Claude", "slug": "google-vertex/anthropic"},
        ]
    )
    assert same_provider("New Cloud", "openai") is False
    assert known_providers()["openai"] == "OpenAI Inc"
    assert provider_slug("OpenAI") == provider_slug("OpenAI Inc") == "openai"
    assert provider_slug("Vertex Claude") == "google-vertex"
    assert known_providers()["google-vertex"] == "Google"
    assert "new-cloud" not in before
    assert list(known_providers()) == sorted(known_providers())


@pytest.mark.parametrize(
    "entry", [{}, {"name": "X"}, {"name": 1, "slug": "x"}, {"name": "", "slug": "-"}]
)
def test_a_malformed_entry_is_passed_over(entry: dict[str, object]) -> None:
    before = set(known_providers())
    learn_providers([entry, {"name": "Odd Cloud", "slug": "odd-cloud"}])
    assert set(known_providers()) == before | {"odd-cloud"}


def test_threads_lose_no_provider() -> None:
    def learn(worker: int) -> None:
        for number in range(50):
            learn_providers(
                [{"name": f"Cloud {worker}.{number}", "slug": f"cloud-{worker}x{number}"}]
            )

    threads = [threading.Thread(target=learn, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    learned = [slug for slug in known_providers() if slug.startswith("cloud-")]
    assert len(learned) == 200


def test_the_mapping_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        known_providers()["openai"] = "Mine"  # type: ignore[index]
