"""OpenRouter's API on loopback, for tests, demos and notebooks: no key, no network, no cost.

The emulator answers from a catalog through the same route planning that `plan_route` does, fails
on demand, and records what it was sent. It says what it is in its `Server` header and in its log.

Example:
    >>> import httpx
    >>> with Emulator() as emulator:
    ...     answer = httpx.post(
    ...         f"{emulator.base_url}/chat/completions",
    ...         headers={"Authorization": "Bearer any"},
    ...         json={
    ...             "model": "openai/gpt-4o-mini",
    ...             "messages": [{"role": "user", "content": "What is 2 + 3?"}],
    ...             "provider": {"order": ["azure"]},
    ...         },
    ...     ).json()
    >>> answer["provider"], answer["choices"][0]["message"]["content"]
    ('Azure', '5')
"""

try:
    import starlette as _starlette  # noqa: F401 - looked for here so that the error says what to do
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"the emulator needs {error.name}, which is not installed: "
        "pip install 'openrouter-routing[emulator]'"
    ) from error

from openrouter_routing.emulator._faults import Fault
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._scripts import Script, Scripted
from openrouter_routing.emulator._server import Emulator, PortInUseError

__all__ = ["Emulator", "Fault", "PortInUseError", "RecordedRequest", "Script", "Scripted"]
