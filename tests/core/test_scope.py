"""`routing()` scopes preferences to a block: nested, in threads and tasks that copy the context, and never beyond."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from openrouter_routing import PreferencesError, routing
from openrouter_routing.scope import current_scope


def _sent() -> dict[str, object]:
    return current_scope().preferences.to_wire()


def test_blocks_nest_and_the_inner_one_wins_field_by_field() -> None:
    with routing(sort="price", models=["a/b"]):
        with routing(provider={"zdr": True, "sort": "latency"}):
            assert _sent() == {"models": ["a/b"], "provider": {"zdr": True, "sort": "latency"}}
        assert _sent() == {"models": ["a/b"], "provider": {"sort": "price"}}
    assert _sent() == {}


def test_none_clears_for_the_block() -> None:
    with routing(sort="price"), routing(provider=None):
        assert _sent() == {}


def test_policies_of_nested_blocks_add_up() -> None:
    with (
        routing(policy={"only": ["openai", "azure"]}),
        routing(policy={"only": ["azure"], "zdr": True}),
    ):
        policy = current_scope().policy
        assert policy is not None
        assert policy.to_wire() == {"only": ["azure"], "zdr": True}
    assert current_scope().policy is None


def test_a_block_ends_when_it_raises() -> None:
    with pytest.raises(KeyError), routing(sort="price"):
        raise KeyError
    assert _sent() == {}


def test_one_block_can_be_used_again_and_inside_itself() -> None:
    block = routing(sort="price")
    with block, block:
        assert _sent() == {"provider": {"sort": "price"}}
    with block:
        assert _sent() == {"provider": {"sort": "price"}}
    assert _sent() == {}


def test_blocks_may_end_in_any_order() -> None:
    first, second, third = routing(sort="price"), routing(zdr=True), routing(sort="latency")
    for block in (first, second, third):
        block.__enter__()
    second.__exit__(None, None, None)
    assert _sent() == {"provider": {"sort": "latency"}}
    first.__exit__(None, None, None)
    assert _sent() == {"provider": {"sort": "latency"}}
    third.__exit__(None, None, None)
    assert _sent() == {}


def test_one_block_can_be_used_by_many_threads() -> None:
    block = routing(sort="price")
    seen: list[dict[str, object]] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        with block:
            barrier.wait()
            seen.append(_sent())
            barrier.wait()
        seen.append(_sent())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.count({"provider": {"sort": "price"}}) == 4
    assert seen.count({}) == 4


async def test_tasks_see_the_block_they_were_made_in() -> None:
    async with routing(sort="price"):
        task = asyncio.create_task(asyncio.to_thread(_sent))
    assert await task == {"provider": {"sort": "price"}}
    assert _sent() == {}


def test_a_plain_thread_does_not_see_the_block_unless_the_context_is_copied() -> None:
    seen: list[dict[str, object]] = []
    with routing(sort="price"):
        context = contextvars.copy_context()
        for target in (
            lambda: seen.append(_sent()),
            lambda: context.run(lambda: seen.append(_sent())),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [{}, {"provider": {"sort": "price"}}]


def test_a_generator_that_yields_inside_the_block_leaks_it_to_its_consumer() -> None:
    """The documented reason not to do it: a generator has no context of its own."""

    def items() -> Iterator[int]:
        with routing(sort="price"):
            yield 1

    generator = items()
    next(generator)
    assert _sent() == {"provider": {"sort": "price"}}
    generator.close()
    assert _sent() == {}


async def test_closing_a_generator_from_another_context_is_no_error() -> None:
    async def items() -> AsyncIterator[int]:
        with routing(sort="price"):
            yield 1

    generator = items()
    await asyncio.create_task(generator.__anext__())  # type: ignore[arg-type]
    await generator.aclose()  # type: ignore[attr-defined]
    assert _sent() == {}


@pytest.mark.parametrize(
    "fields", [{"oder": ["openai"]}, {"sort": "prise"}, {"policy": {"sort": "price"}}]
)
def test_a_malformed_block_is_an_error_where_it_is_written(fields: dict[str, object]) -> None:
    with pytest.raises(PreferencesError):
        routing(**fields)  # type: ignore[arg-type]
