"""`StructuredOpenRouter`: a model that answers with objects of one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    MessageRole,
)
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts.base import ChatPromptTemplate
from pydantic import BaseModel

from llamaindex_openrouter_routing._observed import chat_callback
from llamaindex_openrouter_routing.structured import (
    astream_objects,
    read_object,
    stream_objects,
    structured_options,
    uses_schema,
)
from openrouter_routing.preferences import ProviderPreferences, RoutingPreferences

if TYPE_CHECKING:
    from llamaindex_openrouter_routing.llm import OpenRouter
    from openrouter_routing.keywords import PreferenceFields, ProviderFields


class StructuredOpenRouter(StructuredLLM):
    """A model that answers with objects of one class and keeps the metadata of each answer.

    `raw` of a response is the object, as LlamaIndex has it; `additional_kwargs` tell the provider, the cost and the
    rest, which the base class loses; they are empty where one of LlamaIndex's text programs has to do it.

    Example:
        >>> from llamaindex_openrouter_routing import OpenRouter
        >>> class City(BaseModel):
        ...     name: str
        >>> structured = OpenRouter("openai/gpt-5-mini").as_structured_llm(City)
        >>> print(structured.with_routing(sort="price").describe())
        provider.sort  'price'  instance
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex stores it."""
        return "structured_openrouter"

    def with_routing(
        self,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> Self:
        """Return a copy around a model with more preferences; takes what `OpenRouter.with_routing` takes."""
        routed = self._model.with_routing(preferences, policy=policy, **fields)
        return self.model_copy(update={"llm": routed})

    def describe(self, **call: Any) -> str:
        """Say which preferences a call made here and now would send; see `OpenRouter.describe`."""
        return self._model.describe(**call)

    @chat_callback
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer with an object; takes what `OpenRouter.chat` takes."""
        if uses_schema(self._model) is None:
            output = self._model.structured_predict(self.output_cls, _prompt(messages), kwargs)
            return _as_response(output, {})
        options = structured_options(self._model, self.output_cls, kwargs)
        response = self._model.chat(self._extended(messages), **options)
        return _as_response(read_object(response, self.output_cls), response.additional_kwargs)

    @chat_callback
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer with an object; see `chat`."""
        if uses_schema(self._model) is None:
            prompt = _prompt(messages)
            output = await self._model.astructured_predict(self.output_cls, prompt, kwargs)
            return _as_response(output, {})
        options = structured_options(self._model, self.output_cls, kwargs)
        response = await self._model.achat(self._extended(messages), **options)
        return _as_response(read_object(response, self.output_cls), response.additional_kwargs)

    @chat_callback
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer with an object that grows; the preferences of the enclosing block are read now."""
        if uses_schema(self._model) is None:
            prompt = _prompt(messages)
            outputs = self._model.stream_structured_predict(self.output_cls, prompt, kwargs)
            return (_as_response(output, {}) for output in outputs)
        options = structured_options(self._model, self.output_cls, kwargs)
        responses = self._model.stream_chat(self._extended(messages), **options)
        objects = stream_objects(responses, self.output_cls)
        return (_as_response(found.output, found.response.additional_kwargs) for found in objects)

    @chat_callback
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer with an object that grows; see `stream_chat`."""
        if uses_schema(self._model) is None:
            prompt = _prompt(messages)
            outputs = await self._model.astream_structured_predict(self.output_cls, prompt, kwargs)
            return (_as_response(output, {}) async for output in outputs)
        options = structured_options(self._model, self.output_cls, kwargs)
        responses = await self._model.astream_chat(self._extended(messages), **options)
        objects = astream_objects(responses, self.output_cls)
        return (
            _as_response(found.output, found.response.additional_kwargs) async for found in objects
        )

    @property
    def _model(self) -> OpenRouter:
        return cast("OpenRouter", self.llm)

    def _extended(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        return self._model._extend_messages(list(messages))  # noqa: SLF001 (LlamaIndex's way to add the system prompt)


def _prompt(messages: Sequence[ChatMessage]) -> ChatPromptTemplate:
    return ChatPromptTemplate(message_templates=list(messages))


def _as_response(output: BaseModel, metadata: dict[str, Any]) -> ChatResponse:
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, content=output.model_dump_json()),
        raw=output,
        additional_kwargs=metadata,
    )
