"""LangChain's model profiles from the core's table of models: context limits, modalities, abilities."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models import ModelProfile

from openrouter_routing.model_table import model_info


class TableProfile(dict[str, Any]):
    """A profile that was looked up, not given: it follows the model's name when that changes."""


def model_profile(model: str) -> ModelProfile | None:
    """Return what the table knows of a model.

    `openrouter_routing.model_table.learn_models(client.models())` brings the table up to date; a `profile=` given to
    the model wins over it.

    Args:
        model: The model's name, in any spelling that a request takes.

    Returns:
        The profile, or None for a model the table does not have.

    Example:
        >>> model_profile("openai/gpt-5-mini:nitro")["max_input_tokens"]
        400000

    See https://docs.langchain.com/oss/python/langchain/models#model-profiles
    """
    info = model_info(model)
    if info is None:
        return None
    takes, makes = info.input_modalities, info.output_modalities
    known: dict[str, Any] = {
        "name": info.name,
        "max_input_tokens": info.context_length,
        "max_output_tokens": info.max_output_tokens,
        "text_inputs": "text" in takes,
        "image_inputs": "image" in takes,
        "image_url_inputs": "image" in takes,
        "image_tool_message": "image" in takes and info.tools,
        "pdf_inputs": "file" in takes,
        "pdf_tool_message": "file" in takes and info.tools,
        "audio_inputs": "audio" in takes,
        "video_inputs": "video" in takes,
        "text_outputs": "text" in makes,
        "image_outputs": "image" in makes,
        "audio_outputs": "audio" in makes,
        "video_outputs": "video" in makes,
        "tool_calling": info.tools,
        "tool_choice": info.tool_choice,
        "tool_call_streaming": info.tools,
        "structured_output": info.structured_outputs,
        "reasoning_output": info.reasoning,
        "reasoning_effort_levels": list(info.reasoning_efforts) or None,
        "reasoning_effort_default": info.default_reasoning_effort,
        "attachment": "file" in takes,
        "temperature": info.temperature,
    }
    told = {name: value for name, value in known.items() if value is not None}
    return cast("ModelProfile", TableProfile(told))
