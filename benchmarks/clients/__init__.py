"""The clients that are compared. Each is a class whose methods are named after the cases; what one lacks it skips."""

CLIENTS = {
    "httpx": "benchmarks.clients.raw:Httpx",
    "core": "benchmarks.clients.raw:Core",
    "langchain floor": "benchmarks.clients.langchain:Floor",
    "langchain": "benchmarks.clients.langchain:Ours",
    "langchain-openrouter": "benchmarks.clients.langchain:OpenRouterPeer",
    "langchain-openai": "benchmarks.clients.langchain:OpenAIPeer",
    "llamaindex floor": "benchmarks.clients.llamaindex:Floor",
    "llamaindex": "benchmarks.clients.llamaindex:Ours",
    "llama-index-llms-openrouter": "benchmarks.clients.llamaindex:OpenRouterPeer",
}
"""Where each client is; `httpx` and the two floors are the least that the same work can cost."""
