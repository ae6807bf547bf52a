"""Warnings that point at the line that made the request, however many frames of libraries are in between."""

from __future__ import annotations

import sys
import warnings

from openrouter_routing.errors import RoutingWarning

_LIBRARIES = (
    "openrouter_routing",
    "langchain_openrouter_routing",
    "llamaindex_openrouter_routing",
    "langchain_core",
    "llama_index",
    "stamina",
    "tenacity",
)


def warn(text: str) -> None:
    """Warn of something about the routing of an answer.

    Args:
        text: What there is to say.
    """
    frame, level = sys._getframe(1), 2  # noqa: SLF001 (it is documented, and the only way)
    while frame.f_back is not None and _is_library(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, RoutingWarning, stacklevel=level)


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in _LIBRARIES
