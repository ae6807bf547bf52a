"""The paths of the emulator, and what every answer has in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openrouter_routing.emulator._chat import chat
from openrouter_routing.emulator._errors import ServiceError
from openrouter_routing.emulator._generations import find_generation
from openrouter_routing.emulator._listing import (
    count_models,
    list_embedding_models,
    list_endpoints,
    list_models,
    list_providers,
    list_zdr_endpoints,
    show_credits,
    show_key,
    show_model,
)
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._replies import Reply, ReplyResponse, json_reply
from openrouter_routing.emulator._service import Service
from openrouter_routing.emulator._spoiling import spoil_listing
from openrouter_routing.emulator._validation import check_key
from openrouter_routing.emulator._vectors import embeddings, rerank

PREFIX = "/api/v1"

Handler = Callable[[Service, RecordedRequest, Request], Reply]
Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(
    service: Service,
    closing: asyncio.Event,
    sockets: Mapping[tuple[str, int], asyncio.Transport],
) -> Starlette:
    """Put the paths together.

    Args:
        service: What answers.
        closing: Set when the emulator stops.
        sockets: The open connections by the client's address.
    """

    def endpoint(handler: Handler) -> Endpoint:
        async def serve(request: Request) -> Response:
            record: RecordedRequest = request.scope["record"]
            try:
                check_key(record, service.settings)
                if record.method == "GET":
                    reply = _look_up(service, record, request, handler)
                else:
                    reply = handler(service, record, request)
            except ServiceError as error:
                reply = error.reply({"X-Generation-Id": service.new_id("gen")})
            return ReplyResponse(reply, closing, sockets)

        return serve

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        method, path = request.method, request.url.path
        reply = ServiceError(status, f"{method} {path} is not known here").reply()
        return ReplyResponse(reply, closing, sockets)

    routes = [
        Route(f"{PREFIX}{path}", endpoint(handler), methods=[method])
        for method, path, handler in _HANDLERS
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: missing})


def _look_up(
    service: Service, record: RecordedRequest, request: Request, handler: Handler
) -> Reply:
    """Answer a look-up, unless it is scripted or a fault hits it."""
    scripted = service.scripted(record, stream=False)
    if scripted is not None:
        return scripted
    reply = handler(service, record, request)
    fault = service.faults.hit(None, record.path)
    return reply if fault is None else spoil_listing(fault, reply)


def _model_id(request: Request) -> str:
    return f"{request.path_params['author']}/{request.path_params['slug']}"


_HANDLERS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/chat/completions", lambda service, record, _: chat(service, record)),
    ("POST", "/embeddings", lambda service, record, _: embeddings(service, record)),
    ("POST", "/rerank", lambda service, record, _: rerank(service, record)),
    (
        "GET",
        "/models",
        lambda service, _, request: json_reply(list_models(service, request.query_params)),
    ),
    (
        "GET",
        "/models/count",
        lambda service, _, request: json_reply(count_models(service, request.query_params)),
    ),
    (
        "GET",
        "/models/{author}/{slug}/endpoints",
        lambda service, _, request: json_reply(list_endpoints(service, _model_id(request))),
    ),
    (
        "GET",
        "/model/{author}/{slug}",
        lambda service, _, request: json_reply(show_model(service, _model_id(request))),
    ),
    ("GET", "/embeddings/models", lambda service, *_: json_reply(list_embedding_models(service))),
    ("GET", "/endpoints/zdr", lambda service, *_: json_reply(list_zdr_endpoints(service))),
    ("GET", "/providers", lambda service, *_: json_reply(list_providers(service))),
    ("GET", "/key", lambda service, *_: json_reply(show_key(service))),
    ("GET", "/credits", lambda service, *_: json_reply(show_credits(service))),
    (
        "GET",
        "/generation",
        lambda service, _, request: json_reply(
            find_generation(service, request.query_params.get("id"))
        ),
    ),
)
