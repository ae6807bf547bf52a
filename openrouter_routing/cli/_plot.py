"""Drawing a comparison of providers: cost against speed."""

from __future__ import annotations

import importlib
from operator import itemgetter
from pathlib import Path

from openrouter_routing.probing import ProbeReport

_THOUSAND = 1000
# In points above and below the mark.
_NAME_HEIGHTS = (8, -15, 20, -27)


def require_matplotlib() -> None:
    """Look for matplotlib before anything is billed.

    Raises:
        ImportError: It is not installed; says how to install it.
    """
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise ImportError(
            "--plot needs matplotlib, which is not installed: pip install matplotlib"
        ) from None


def draw_report(report: ProbeReport, path: Path) -> None:
    """Draw what a request costs at each provider against how fast it answers.

    Args:
        report: The comparison; providers that never answered are left out.
        path: Where to write; its ending chooses the format.

    Raises:
        OSError: It cannot be written.
        ValueError: matplotlib does not know the format.
    """
    figures = importlib.import_module("matplotlib.figure")
    tickers = importlib.import_module("matplotlib.ticker")
    figure = figures.Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    points = [
        (result.throughput, float(result.cost) * _THOUSAND, result)
        for result in report.ranking()
        if result.cost is not None and result.throughput is not None
    ]
    # Neighbours in speed get their names at different heights, so that they stay readable.
    for place, (speed, cost, result) in enumerate(sorted(points, key=itemgetter(0))):
        axes.scatter([speed], [cost], s=60, marker="o" if result.reliable else "x")
        axes.annotate(
            result.endpoint.tag,
            (speed, cost),
            xytext=(0, _NAME_HEIGHTS[place % len(_NAME_HEIGHTS)]),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(tickers.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(tickers.NullLocator())
    axes.set_xlabel("throughput, tokens per second (median)")
    axes.set_ylabel("cost of 1000 requests, USD (median)")
    axes.set_title(f"{report.model}: cost against speed")
    axes.margins(x=0.1, y=0.15)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
