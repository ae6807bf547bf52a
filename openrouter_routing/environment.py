"""Preferences that the environment names: the layer below all others."""

from __future__ import annotations

import os

from openrouter_routing.preferences import NO_PREFERENCES, RoutingPreferences, preferences_of


def environment_preferences() -> RoutingPreferences:
    """Return what the environment says: `OPENROUTER_SESSION_ID` as the session id, and nothing else.

    Raises:
        PreferencesError: The session id is longer than the API takes.

    Example:
        >>> environment_preferences().to_wire()
        {}
    """
    session_id = os.environ.get("OPENROUTER_SESSION_ID")
    return preferences_of(session_id=session_id) if session_id else NO_PREFERENCES
