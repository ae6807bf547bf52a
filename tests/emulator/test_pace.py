"""A paced emulator takes the time that its endpoints are said to take."""

from __future__ import annotations

from dataclasses import replace

from openrouter_routing.catalog import Catalog
from openrouter_routing.client import OpenRouterClient
from openrouter_routing.emulator import Emulator
from openrouter_routing.endpoint import PercentileStats

MODEL = "openai/gpt-4o-mini"


def test_the_figures_of_the_endpoint_are_the_least_it_takes() -> None:
    sample = Catalog.sample().model(MODEL)
    slow = replace(
        sample.endpoints[0],
        latency=PercentileStats(p50=300.0),
        throughput=PercentileStats(p50=100.0),
    )
    catalog = Catalog(models=(replace(sample, endpoints=(slow,)),))
    with Emulator(catalog, paced=True) as emulator:
        client = OpenRouterClient(base_url=emulator.base_url, api_key="any")
        with client.stream([{"role": "user", "content": "Count to ten"}], model=MODEL) as stream:
            chunks = sum(bool(delta.content) for delta in stream)
            route = stream.completion.route
    assert chunks > 1
    assert route.time_to_first_token is not None
    assert route.elapsed is not None
    # Sleeping never takes less than asked for, so these hold on a busy machine, too.
    assert route.time_to_first_token >= 0.3
    assert route.elapsed - route.time_to_first_token >= (chunks - 2) * 0.01
