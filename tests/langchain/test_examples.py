"""Every public class and method has an example; that they run is tested with those of the other packages."""

from __future__ import annotations

import inspect

import pytest

import langchain_openrouter_routing

OURS = "langchain_openrouter_routing"
CLASSES = [
    value
    for name in langchain_openrouter_routing.__all__
    if inspect.isclass(value := getattr(langchain_openrouter_routing, name))
    and value.__module__.startswith(OURS)
]


def _methods() -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for cls in CLASSES:
        for owner in cls.__mro__:
            if not owner.__module__.startswith(OURS):
                continue
            for name, member in list(vars(owner).items()):
                target = getattr(
                    member, "__func__", member.fget if isinstance(member, property) else member
                )
                # pydantic puts the last one there.
                ours = not name.startswith("_") and name != "model_post_init"
                if ours and inspect.isfunction(target):
                    found.setdefault(f"{owner.__name__}.{name}", target.__doc__ or "")
    return sorted(found.items())


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_class_has_an_example(cls: type) -> None:
    assert ">>>" in (cls.__doc__ or "")


@pytest.mark.parametrize(("name", "text"), _methods(), ids=[name for name, _ in _methods()])
def test_a_method_has_an_example(name: str, text: str) -> None:
    assert ">>>" in text


def test_the_classes_are_those_of_the_package() -> None:
    names = {cls.__name__ for cls in CLASSES}
    assert {
        "ChatOpenRouter",
        "OpenRouterEmbeddings",
        "OpenRouterRerank",
        "OpenRouterTracer",
        "RoutingMiddleware",
    } <= names
