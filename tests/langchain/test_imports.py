"""What is imported only when it is asked for, and what a missing package says."""

from __future__ import annotations

import subprocess
import sys

import langchain_openrouter_routing


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_package_does_not_import_langchain_itself() -> None:
    done = run(
        "import sys, langchain_openrouter_routing as ours; assert 'langchain' not in sys.modules; "
        "ours.RoutingMiddleware; assert 'langchain' in sys.modules"
    )
    assert done.returncode == 0, done.stderr


def test_middleware_without_langchain_says_what_to_install() -> None:
    done = run(
        "import sys; sys.modules['langchain'] = None\n"
        "import langchain_openrouter_routing as ours\n"
        "ours.ChatOpenRouter(model='a/b')\n"
        "ours.RoutingMiddleware"
    )
    assert done.returncode != 0
    assert "RoutingMiddleware is for agents made by langchain: pip install langchain" in done.stderr


def test_all_names_are_there() -> None:
    for name in langchain_openrouter_routing.__all__:
        assert getattr(langchain_openrouter_routing, name) is not None
