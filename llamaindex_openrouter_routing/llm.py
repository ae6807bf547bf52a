"""`OpenRouter`: an LLM for query engines, chat engines, agents and workflows, routed per call, block or instance."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.instrumentation.events.llm import LLMStructuredPredictEndEvent
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.types import Model
from pydantic import BaseModel, ConfigDict, Field

from llamaindex_openrouter_routing._component import RoutedComponent
from llamaindex_openrouter_routing._observed import chat_callback, completion_callback, unveiled
from llamaindex_openrouter_routing._streaming import amapped, aresponses_of, mapped, responses_of
from llamaindex_openrouter_routing._text_program import (
    atext_objects,
    structured_errors,
    text_objects,
)
from llamaindex_openrouter_routing.messages import amessages_to_wire, messages_to_wire
from llamaindex_openrouter_routing.responses import read_response, to_completion
from llamaindex_openrouter_routing.structured import (
    announce,
    apredicted,
    astream_objects,
    checked_options,
    dispatcher,
    predicted,
    read_object,
    stream_objects,
    structured_options,
    uses_schema,
)
from llamaindex_openrouter_routing.structured_llm import StructuredOpenRouter
from llamaindex_openrouter_routing.tools import (
    checked_tools,
    keep_first_call,
    readable_selections,
    tool_choice_to_wire,
    tool_selections,
    tools_to_wire,
    wire_options,
    with_user_message,
)
from openrouter_routing.model_table import ModelInfo, learn_models, model_info
from openrouter_routing.request import check_fallbacks
from openrouter_routing.settings import OnEmpty

if TYPE_CHECKING:
    from llama_index.core.program.utils import FlexibleModel
    from llama_index.core.prompts.base import BasePromptTemplate
    from llama_index.core.tools.types import BaseTool

    from llamaindex_openrouter_routing.keywords import OpenRouterFields

UNKNOWN_CONTEXT_WINDOW = 128_000
"""Tokens; the context window of a model that the table does not have."""


class OpenRouter(RoutedComponent, FunctionCallingLLM):
    """Any model of OpenRouter.

    Args:
        model: Such as `"anthropic/claude-sonnet-4.5"`; may be left out where `models` or a `preset` names one.
        temperature: 0 to 2. Like every parameter it is sent only where it was set.
        max_tokens: The most tokens of an answer.
        additional_kwargs: More parameters of the API, by name; they can also be given directly (`top_p=`).
        context_window: Tokens of prompt and answer together; known for common models.
        is_function_calling_model: Whether it takes tools; known for common models, taken for granted for others.
        should_use_structured_outputs: Whether structured output goes by JSON schema (True) or by a tool call (False);
            without it the model table decides.
        strict: Whether the provider has to hold tool arguments to their schema, where it is one that can be enforced;
            the model then has to give those with a default too.
        first_token_timeout: Seconds from a request to the first piece of a streamed answer.
        idle_timeout: Seconds between two pieces of a streamed answer; keep-alive comments do not count.
        coalesce: Whether pieces of text that arrive in one network read become one response; nothing is delayed.
        on_empty: What to do with a finished answer that holds nothing.
        **fields: Routing preferences, nested (`provider=`, `models=`, `routing=`) and flat (`order=`, `zdr=`, ...);
            `policy`; how to send (`api_key`, `api_base`, `timeout` in seconds, `max_retries`, `default_headers`,
            `app_title`, `http_client`, ...); LlamaIndex's own (`system_prompt`, `callback_manager`, ...).

    Raises:
        BadRequestError: A keyword is unknown (the message names the nearest) or a setting malformed.
        PreferencesError: A routing preference is malformed.

    Each call takes the same preferences and parameters and wins over the instance. None of its errors is a ValueError
    or TypeError, which LlamaIndex's synthesizers would turn into "Empty Response".

    Example:
        >>> llm = OpenRouter("openai/gpt-5-mini", zdr=True)
        >>> llm.routing.to_wire()
        {'provider': {'zdr': True}}
        >>> response = llm.complete("Hi", provider={"sort": "price"}, models=["qwen/qwen3-8b"])  # doctest: +SKIP
        >>> response.additional_kwargs["provider"], response.raw["usage"]["cost"]  # doctest: +SKIP

    See https://docs.llamaindex.ai/en/stable/module_guides/models/llms/
    """

    model_config = ConfigDict(defer_build=False)

    model: str | None = Field(default=None, description="The model, such as 'openai/gpt-5-mini'.")
    temperature: int | float | None = Field(default=None, description="0 to 2.", ge=0, le=2)
    max_tokens: int | None = Field(default=None, description="The most tokens of an answer.", gt=0)
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="More parameters of the API, by name."
    )
    context_window: int | None = Field(
        default=None, description="Tokens of prompt and answer together.", gt=0
    )
    is_chat_model: bool = Field(default=True, description="Whether engines talk in messages.")
    is_function_calling_model: bool | None = Field(
        default=None, description="Whether the model takes tools."
    )
    should_use_structured_outputs: bool | None = Field(
        default=None, description="Whether structured output goes by JSON schema."
    )
    strict: bool = Field(default=False, description="Hold tool arguments to their schema.")
    first_token_timeout: float | None = Field(
        default=None, description="Seconds to the first piece of a streamed answer."
    )
    idle_timeout: float | None = Field(
        default=None, description="Seconds between two pieces of a streamed answer."
    )
    coalesce: bool = Field(
        default=False, description="Hand on as one response the text of one network read."
    )
    on_empty: OnEmpty | None = Field(
        default=None, description="What to do with an answer that holds nothing."
    )

    def __init__(self, model: str | None = None, **fields: Unpack[OpenRouterFields]) -> None:
        super().__init__(model=model, **fields)

    def _check_preferences(self) -> None:
        check_fallbacks(self.model, self.routing)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex stores it."""
        return "OpenRouter_LLM"

    @property
    def model_info(self) -> ModelInfo | None:
        """What is known of the model: modalities, limits, abilities; None where nothing is."""
        return model_info(self.model) if self.model else None

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex needs to know of the model.

        `num_output` is `max_tokens`, or -1 (no limit) without one: LlamaIndex takes it off the context window, so the
        largest answer a model could give would leave no room for the prompt. That limit is in `model_info`.
        """
        info = self.model_info
        takes_tools = self.is_function_calling_model
        if takes_tools is None:
            takes_tools = info is None or info.tools
        window = self.context_window or (info.context_length if info else None)
        return LLMMetadata(
            context_window=window or UNKNOWN_CONTEXT_WINDOW,
            num_output=self.max_tokens or -1,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=takes_tools,
            model_name=self._model_name(),
        )

    def refresh_metadata(self) -> None:
        """Ask OpenRouter what its models can do, for all models of this process."""
        learn_models(self._client().models())

    def to_payload(self) -> dict[str, Any]:
        """Return what observers may see: the metadata and the preferences, no secrets."""
        return {**super().to_payload(), "routing": self.routing.to_wire()}

    def _model_name(self) -> str:
        preferences = self.routing
        return self.model or (preferences.models or [preferences.preset or "unknown"])[0]

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Put the parameters of the instance below those of a call."""
        held = {
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            **self.additional_kwargs,
        }
        return self._with_extra_body(wire_options({**held, **unveiled(options)}))

    # How answers are asked for. The decorated methods below add LlamaIndex's events to these.

    def _chat(self, messages: Sequence[ChatMessage], options: dict[str, Any]) -> ChatResponse:
        wire = messages_to_wire(messages)
        return read_response(self._client().chat(wire, **self._options(options)))

    async def _achat(
        self, messages: Sequence[ChatMessage], options: dict[str, Any]
    ) -> ChatResponse:
        wire = await amessages_to_wire(messages)
        return read_response(await self._async_client().chat(wire, **self._options(options)))

    def _stream_chat(
        self, messages: Sequence[ChatMessage], options: dict[str, Any]
    ) -> ChatResponseGen:
        # The stream is made here, not in the generator: the enclosing `routing()` block is read when it is made.
        wire = messages_to_wire(messages)
        return responses_of(self._client().stream(wire, **self._options(options)))

    async def _astream_chat(
        self, messages: Sequence[ChatMessage], options: dict[str, Any]
    ) -> ChatResponseAsyncGen:
        wire = await amessages_to_wire(messages)
        return aresponses_of(self._async_client().stream(wire, **self._options(options)))

    def _as_messages(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]

    # LlamaIndex's interface.

    @chat_callback
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation.

        Args:
            messages: The conversation, at least one message.
            **kwargs: Preferences and parameters of this call; `extra_body` and `extra_headers` pass anything through.

        Returns:
            The answer; where it came from is in `additional_kwargs`, the wire object in `raw`.

        Raises:
            OpenRouterError: One of its kinds, see `openrouter_routing.errors`.
        """
        return self._chat(messages, kwargs)

    @chat_callback
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation; see `chat`."""
        return await self._achat(messages, kwargs)

    @chat_callback
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation piece by piece; each response holds all so far, the last one the metadata.

        Takes what `chat` takes. The request is sent when the first response is asked for, with the preferences of the
        block in which this was called.
        """
        return self._stream_chat(messages, kwargs)

    @chat_callback
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer a conversation piece by piece; see `stream_chat`."""
        return await self._astream_chat(messages, kwargs)

    @completion_callback
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt; it is sent as the message of a user. Takes what `chat` takes."""
        return to_completion(self._chat(self._as_messages(prompt, formatted), kwargs))

    @completion_callback
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Answer a prompt; see `complete`."""
        return to_completion(await self._achat(self._as_messages(prompt, formatted), kwargs))

    @completion_callback
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Answer a prompt piece by piece; see `stream_chat`."""
        responses = self._stream_chat(self._as_messages(prompt, formatted), kwargs)
        return mapped(responses, to_completion)

    @completion_callback
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Answer a prompt piece by piece; see `stream_chat`."""
        responses = await self._astream_chat(self._as_messages(prompt, formatted), kwargs)
        return amapped(responses, to_completion)

    # Tools.

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002 (LlamaIndex's signature)
        allow_parallel_tool_calls: bool = False,  # noqa: ARG002 (see _validate_chat_with_tools_response)
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        prepared = {**kwargs, "messages": with_user_message(chat_history, user_msg)}
        if tools:
            by_schema = self.strict if strict is None else strict
            prepared["tools"] = tools_to_wire(checked_tools(tools), strict=by_schema)
            choice = tool_choice_to_wire(tool_choice, required=tool_required)
            if choice is not None:
                prepared["tool_choice"] = choice
        return prepared

    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],  # noqa: ARG002 (LlamaIndex's signature)
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResponse:
        # Not every provider knows `parallel_tool_calls`, and one that does not would be excluded for it.
        return response if allow_parallel_tool_calls else keep_first_call(response)

    def stream_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> ChatResponseGen:
        """Answer with tools at hand, piece by piece; without parallel calls the first one alone comes through."""
        responses = super().stream_chat_with_tools(
            tools,
            user_msg,
            chat_history,
            verbose,
            allow_parallel_tool_calls,
            tool_required,
            **kwargs,
        )
        return responses if allow_parallel_tool_calls else mapped(responses, keep_first_call)

    async def astream_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> ChatResponseAsyncGen:
        """Answer with tools at hand, piece by piece; see `stream_chat_with_tools`."""
        responses = await super().astream_chat_with_tools(
            tools,
            user_msg,
            chat_history,
            verbose,
            allow_parallel_tool_calls,
            tool_required,
            **kwargs,
        )
        return responses if allow_parallel_tool_calls else amapped(responses, keep_first_call)

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,
        **kwargs: Any,  # noqa: ARG002
    ) -> list[ToolSelection]:
        """Return the tool calls of an answer, whole or still streaming.

        Args:
            response: A response of this model.
            error_on_no_tool_call: Whether an answer without calls is an error, and one with arguments that are no
                JSON object. Without, such a call comes with a name that no tool has, so that agents tell the model.
            **kwargs: Nothing; LlamaIndex's signature.

        Raises:
            ResponseParseError: There is no call that can be run, and there should be.
        """
        read = readable_selections if error_on_no_tool_call else tool_selections
        return read(response)

    # Structured output. Where a text program has to do it, LlamaIndex's own are used.

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredOpenRouter:
        """Return a model that answers with objects of a class and keeps the metadata of its answers."""
        return StructuredOpenRouter(llm=self, output_cls=output_cls, **kwargs)

    @dispatcher.span
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Answer a prompt with an object.

        Args:
            output_cls: The pydantic class of the object.
            prompt: The prompt.
            llm_kwargs: Preferences and parameters of the call, as for `chat`.
            **prompt_args: What the prompt's variables stand for.

        Raises:
            OpenRouterError: One of its kinds; `ResponseParseError` where the answer holds no such object.
        """
        if uses_schema(self) is None:
            options = checked_options(llm_kwargs)
            with structured_errors(output_cls):
                found = super().structured_predict(output_cls, prompt, options, **prompt_args)
            return cast("Model", found)
        announce(output_cls, prompt, prompt_args)
        options = structured_options(self, output_cls, llm_kwargs)
        response = self.chat(self._prompted(prompt, prompt_args), **options)
        output = read_object(response, output_cls)
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @dispatcher.span
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Answer a prompt with an object; see `structured_predict`."""
        if uses_schema(self) is None:
            options = checked_options(llm_kwargs)
            asked = super().astructured_predict(output_cls, prompt, options, **prompt_args)
            with structured_errors(output_cls):
                return cast("Model", await asked)
        announce(output_cls, prompt, prompt_args)
        options = structured_options(self, output_cls, llm_kwargs)
        response = await self.achat(self._prompted(prompt, prompt_args), **options)
        output = read_object(response, output_cls)
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    def stream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model | FlexibleModel, None, None]:
        """Answer a prompt with an object that grows; the last one is whole and valid.

        Takes what `structured_predict` takes. The preferences of the enclosing block are read now, not when the first
        object is asked for.
        """
        if uses_schema(self) is None:
            options = checked_options(llm_kwargs)
            return text_objects(self, output_cls, prompt, options, prompt_args)
        announce(output_cls, prompt, prompt_args)
        options = structured_options(self, output_cls, llm_kwargs)
        responses = self.stream_chat(self._prompted(prompt, prompt_args), **options)
        return cast(
            "Generator[Model | FlexibleModel, None, None]",
            predicted(stream_objects(responses, output_cls)),
        )

    async def astream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        """Answer a prompt with an object that grows; see `stream_structured_predict`."""
        if uses_schema(self) is None:
            options = checked_options(llm_kwargs)
            return await atext_objects(self, output_cls, prompt, options, prompt_args)
        announce(output_cls, prompt, prompt_args)
        options = structured_options(self, output_cls, llm_kwargs)
        responses = await self.astream_chat(self._prompted(prompt, prompt_args), **options)
        return cast(
            "AsyncGenerator[Model | FlexibleModel, None]",
            apredicted(astream_objects(responses, output_cls)),
        )

    def _prompted(
        self, prompt: BasePromptTemplate, prompt_args: dict[str, Any]
    ) -> list[ChatMessage]:
        return self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
