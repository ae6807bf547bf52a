"""`ChatOpenRouter`: LangChain's chat model for OpenRouter, with routing that is typed, merged and told back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.base import RunnableBinding
from langchain_core.runnables.utils import AnyConfigurableField
from pydantic import BaseModel, ConfigDict, model_validator

from langchain_openrouter_routing._chat_fields import ChatFields
from langchain_openrouter_routing._connection import only_set, veil
from langchain_openrouter_routing.answers import (
    PROVIDER,
    chat_result,
    chunk_of,
    combined_output,
    last_chunk,
)
from langchain_openrouter_routing.cache_key import request_key
from langchain_openrouter_routing.errors import langchain_errors
from langchain_openrouter_routing.messages import messages_to_wire
from langchain_openrouter_routing.profiles import TableProfile, model_profile
from langchain_openrouter_routing.tools import (
    Method,
    Tool,
    ToolChoice,
    is_forced,
    is_structured,
    parallel_calls,
    structured_method,
    tool_choice_to_wire,
    tool_to_wire,
)
from openrouter_routing import __version__
from openrouter_routing.request import PARAMETERS

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from langchain_openrouter_routing.keywords import ChatOpenRouterFields


# LangChain resolves the annotations of public methods (`with_fallbacks()` does), so all of their names are real ones.
Bound = RunnableBinding[LanguageModelInput, AIMessage]


class ChatOpenRouter(ChatFields):
    """A chat model of OpenRouter.

    What a request may do is said at construction, per call (`invoke(..., provider={...}, models=[...])`), by
    `with_routing()`, or for a block of code by `openrouter_routing.routing()`; all of them merge field by field. Where
    it went is in `response_metadata` of every answer, and in `openrouter_routing.Route.of(answer)`.

    Args:
        model: The model, such as `"openai/gpt-5-mini"`.
        api_key: The key; `OPENROUTER_API_KEY` unless set.
        **fields: Any field below: preferences, parameters, timeouts in seconds. What is not set is not sent.

    Raises:
        BadRequestError: A field is unknown; the message names the nearest known one.
        PreferencesError: A routing preference is malformed.

    Example:
        >>> llm = ChatOpenRouter(model="openai/gpt-5-mini", provider={"zdr": True}, sort="price")
        >>> print(llm.describe(allow_fallbacks=False))
        provider.allow_fallbacks  False    call
        provider.zdr              True     instance
        provider.sort             'price'  instance
        >>> from openrouter_routing.emulator import Emulator
        >>> with Emulator() as emulator:  # OpenRouter on loopback: no key, no cost
        ...     llm = ChatOpenRouter(model="openai/gpt-5-mini", base_url=emulator.base_url, api_key="any")
        ...     answer = llm.invoke("What is 2 + 3?", provider={"order": ["azure"]})
        >>> answer.text, answer.response_metadata["provider"]
        ('5', 'Azure')

    See https://openrouter.ai/docs/features/provider-routing and
    https://docs.langchain.com/oss/python/langchain/models
    """

    model_config = ConfigDict(defer_build=False)

    def __init__(self, **fields: Unpack[ChatOpenRouterFields]) -> None:
        super().__init__(**veil(fields))

    @model_validator(mode="after")
    def _set_langchain_openrouter_routing_version(self) -> Self:
        self._add_version("openrouter-routing", __version__)
        return self

    @property
    def model_name(self) -> str:
        """The model, under the name that other integrations use.

        Example:
            >>> ChatOpenRouter(model="openai/gpt-5-mini").model_name
            'openai/gpt-5-mini'
        """
        return self.model

    # Generating

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            options = self._call_options(stop, kwargs)
            client = self._sync_client()
            return chat_result(client.chat(messages_to_wire(messages), **options))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        with langchain_errors():
            options = self._call_options(stop, kwargs)
            client = self._async_client()
            return chat_result(await client.chat(messages_to_wire(messages), **options))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with langchain_errors():
            options = self._stream_options(stop, kwargs)
            client = self._sync_client()
            named = False
            with client.stream(messages_to_wire(messages), **options) as stream:
                for delta in stream:
                    model = None if named else stream.model
                    named = named or model is not None
                    chunk = chunk_of(delta, model)
                    if run_manager:
                        run_manager.on_llm_new_token(delta.content, chunk=chunk)
                    yield chunk
                last = last_chunk(
                    stream.completion, named=named, with_usage=self._with_usage(kwargs)
                )
            if run_manager:
                run_manager.on_llm_new_token("", chunk=last)
            yield last

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with langchain_errors():
            options = self._stream_options(stop, kwargs)
            client = self._async_client()
            named = False
            async with client.stream(messages_to_wire(messages), **options) as stream:
                async for delta in stream:
                    model = None if named else stream.model
                    named = named or model is not None
                    chunk = chunk_of(delta, model)
                    if run_manager:
                        await run_manager.on_llm_new_token(delta.content, chunk=chunk)
                    yield chunk
                last = last_chunk(
                    stream.completion, named=named, with_usage=self._with_usage(kwargs)
                )
            if run_manager:
                await run_manager.on_llm_new_token("", chunk=last)
            yield last

    def _with_usage(self, call: Mapping[str, Any]) -> bool:
        return bool(call.get("stream_usage", self.stream_usage))

    # Tools and structured output

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: ToolChoice = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        require_parameters: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return a runnable that offers tools to the model.

        A forced tool call, or a `response_format` among the keywords, switches `require_parameters` on, so that no
        provider may ignore it: `describe()` shows it, and a preference of your own or the argument here switches it
        off.

        Args:
            tools: Functions, classes, LangChain tools, and dicts of OpenAI's or Anthropic's shape; dicts of server
                tools are handed on as they are.
            tool_choice: `"auto"`, `"none"`, `"any"` (or True, or `"required"`), a tool, its name, or the wire's object.
            strict: Whether arguments must follow the schema exactly.
            parallel_tool_calls: Whether the model may call several tools at once.
            require_parameters: False leaves it off for a forced tool call too.
            **kwargs: More keywords of every call.

        Raises:
            BadRequestError: `tool_choice` names a tool that is not there.

        Example:
            >>> class Weather(BaseModel):
            ...     city: str
            >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind_tools([Weather], tool_choice="any")
            >>> bound.kwargs["tool_choice"], bound.bound.provider
            ('required', {'require_parameters': True})

        See https://openrouter.ai/docs/features/tool-calling
        """
        wire = [tool_to_wire(tool, strict=strict) for tool in tools]
        choice = tool_choice_to_wire(tool_choice, wire)
        options: dict[str, Any] = {"tools": wire, "tool_choice": choice}
        told = parallel_calls(tool_choice) if wire else None
        options["parallel_tool_calls"] = (
            told if parallel_tool_calls is None else parallel_tool_calls
        )
        bound = {name: value for name, value in options.items() if value is not None}
        model = self
        forced = is_forced(choice) or is_structured(kwargs.get("response_format"))
        if forced and require_parameters is not False:
            model = self._requiring_parameters()
        return cast("Runnable[LanguageModelInput, AIMessage]", model.bind(**bound, **kwargs))

    def with_structured_output(
        self,
        schema: Mapping[str, Any] | type | None = None,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        require_parameters: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return a runnable that answers in the shape of a schema.

        `require_parameters` is switched on, so that no provider may ignore the schema: `describe()` shows it, and a
        preference of your own or the argument here switches it off.

        Args:
            schema: A pydantic class (also of pydantic 1), a TypedDict, a JSON schema or an OpenAI function.
            method: `"json_schema"` (the API's structured output), `"function_calling"` (a forced tool call) or
                `"json_mode"` (any JSON; the schema is only parsed into). Unless set it is the first, or the second
                for a model whose profile says that it has no structured output.
            include_raw: Whether to return `{"raw": message, "parsed": ..., "parsing_error": ...}` and never raise.
            strict: Whether the answer must follow the schema exactly, where the model can.
            require_parameters: False leaves it off.
            **kwargs: More keywords of every call.

        Raises:
            StructuredOutputError: From the runnable: the answer was cut off, filtered or refused, or is no whole
                structure; it keeps the raw message. One that does not fit the schema is LangChain's
                `OutputParserException`.

        Example:
            >>> from openrouter_routing.emulator import Emulator
            >>> class City(BaseModel):
            ...     name: str
            ...     people: int
            >>> with Emulator() as emulator:
            ...     llm = ChatOpenRouter(model="openai/gpt-5-mini", base_url=emulator.base_url, api_key="any")
            ...     llm.with_structured_output(City).invoke('"Bern" has 134000 people.')
            City(name='Bern', people=134000)

        See https://openrouter.ai/docs/features/structured-outputs
        """
        from langchain_openrouter_routing.structured import structured_output

        model = self if require_parameters is False else self._requiring_parameters()
        chosen = structured_method(self.profile, method)
        return structured_output(
            model, schema, method=chosen, include_raw=include_raw, strict=strict, **kwargs
        )

    def _requiring_parameters(self) -> Self:
        """Return a model that demands support for all parameters, unless this one says something about it."""
        own = self._instance_preferences().settings()
        if "provider.require_parameters" in own:
            return self
        return self.with_routing(require_parameters=True)

    def bind(self, **kwargs: Any) -> Bound:  # type: ignore[override]  # theirs is private
        """Return this model with bound arguments, which `bind_tools` and its like keep.

        Args:
            **kwargs: Keywords of every call.

        Example:
            >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(provider={"sort": "price"})
            >>> bound.kwargs
            {'provider': {'sort': 'price'}}
        """
        from langchain_openrouter_routing.binding import ModelBinding

        return ModelBinding(bound=self, kwargs={}, config={}).bind(**kwargs)

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> Bound:
        """Return this model with bound config, which `bind_tools` and its like keep.

        Args:
            config: The config.
            **kwargs: Entries of the config.

        Example:
            >>> ChatOpenRouter(model="openai/gpt-5-mini").with_config(tags=["mine"]).config["tags"]
            ['mine']
        """
        from langchain_openrouter_routing.binding import ModelBinding

        both = cast("RunnableConfig", {**(config or {}), **kwargs})
        return ModelBinding(bound=self, kwargs={}, config=both)

    # What LangChain asks of a model

    @property
    def _llm_type(self) -> str:
        return "openrouter-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        told = only_set(self.__dict__, PARAMETERS)
        preferences = self._instance_preferences().to_wire()
        return {"model": self.model, "base_url": self.base_url, **told, **preferences}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        asked = stop or self.stop or None
        stops = [asked] if isinstance(asked, str) else asked
        params = super()._get_ls_params(stop=stops, **kwargs)
        params["ls_provider"] = PROVIDER
        named = kwargs.get("model") or kwargs.get("model_name") or self.model
        params["ls_model_name"] = str(named)
        return params

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        params: dict[str, Any] = super()._get_invocation_params(stop=stop, **kwargs)
        # Tracers are told these, and headers hold secrets.
        hidden = {
            field: dict.fromkeys(headers, "**********")
            for field in ("default_headers", "extra_headers")
            if isinstance(headers := params.get(field), Mapping)
        }
        return {**params, **hidden}

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        with langchain_errors():
            client = self._sync_client()
            options = self._call_options(stop, kwargs)
            return request_key(client, options, output_version=self.output_version)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return combined_output(llm_outputs, self.model)

    def _resolve_model_profile(self) -> ModelProfile | None:
        return model_profile(self.model)

    def get_num_tokens(self, text: str) -> int:
        """Estimate the tokens of a text: about four characters each. Exact counts come with every answer.

        Args:
            text: The text.

        Example:
            >>> ChatOpenRouter(model="openai/gpt-5-mini").get_num_tokens("Where is Bern?")
            4
        """
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return -(-len(text) // 4)

    def get_num_tokens_from_messages(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[Tool] | None = None,
    ) -> int:
        """Estimate the tokens of messages and tools. Exact counts come with every answer.

        Args:
            messages: The messages.
            tools: Tools as `bind_tools` takes them.

        Example:
            >>> from langchain_core.messages import HumanMessage
            >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
            >>> llm.get_num_tokens_from_messages([HumanMessage("Where is Bern?")])
            8
        """
        offered = [tool_to_wire(tool, strict=None) for tool in tools or ()]
        return count_tokens_approximately(
            messages, tools=cast("list[BaseTool | dict[str, Any]]", offered)
        )

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The field that is a secret, and the environment variable to read it from.

        Example:
            >>> ChatOpenRouter(model="openai/gpt-5-mini").lc_secrets
            {'api_key': 'OPENROUTER_API_KEY'}
        """
        return {"api_key": "OPENROUTER_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say that `langchain_core.load` can dump this class.

        Example:
            >>> from langchain_core.load import dumpd, load
            >>> dumped = dumpd(ChatOpenRouter(model="openai/gpt-5-mini", sort="price"))
            >>> namespaces = ["langchain_openrouter_routing"]
            >>> load(dumped, allowed_objects=[ChatOpenRouter], valid_namespaces=namespaces).sort
            'price'
        """
        return True

    # Copies

    @classmethod
    def _by_field_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields under their own names; a profile that was only looked up is looked up again."""
        named = super()._by_field_names(values)
        if isinstance(named.get("profile"), TableProfile):
            del named["profile"]
        return named

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with fields changed; what was derived from the old values is derived anew.

        Args:
            update: Fields to change, under any of their names.
            deep: Whether to copy the values too.

        Example:
            >>> llm = ChatOpenRouter(model="openai/gpt-5-mini", sort="price")
            >>> llm.model_copy(update={"model": "openai/gpt-5"}).sort
            'price'
        """
        with langchain_errors():
            changed = self._by_field_names(update or {})
        copied = super().model_copy(update=changed, deep=deep)
        copied.__dict__.pop("_serialized", None)
        if "model" in changed and isinstance(self.profile, TableProfile):
            copied.profile = copied._resolve_model_profile()  # noqa: SLF001 (its own class)
        return copied

    def __setattr__(self, name: str, value: Any) -> None:
        name = self.aliases.get(name, name)
        super().__setattr__(name, value)
        # What LangChain made of the old value for its tracers.
        self.__dict__.pop("_serialized", None)
        if name == "model" and isinstance(self.profile, TableProfile):
            self.profile = self._resolve_model_profile()

    def configurable_fields(
        self, **kwargs: AnyConfigurableField
    ) -> RunnableSerializable[LanguageModelInput, AIMessage]:
        """Make fields configurable per call, under any of their names.

        Args:
            **kwargs: For each field what LangChain's `config={"configurable": {...}}` calls it.

        Example:
            >>> from langchain_core.runnables import ConfigurableField
            >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
            >>> configurable = llm.configurable_fields(model_name=ConfigurableField(id="model"))
            >>> configurable.prepare({"configurable": {"model": "openai/gpt-5"}})[0].model_name
            'openai/gpt-5'
        """
        with langchain_errors():
            named = self._by_field_names(kwargs)
        return super().configurable_fields(**named)
