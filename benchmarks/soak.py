"""Drive the clients with every fault at once, and check that each request ended in exactly one right way.

    python -m benchmarks.soak                  some 20,000 requests
    python -m benchmarks.soak --seconds 120    as many as fit into two minutes

The emulator runs in a process of its own; each pair of a model and a provider has one fault that hits now and then.
Threads and asyncio tasks ask it to repeat texts that are all different. An answer counts as right when it is the
whole text, or a typed error that belongs to the fault and whose partial text is the beginning of the text. At the end
the process must hold no more sockets, threads and tasks than before, and no more memory than after its first tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openrouter_routing import (
    APIConnectionError,
    APITimeoutError,
    AsyncOpenRouterClient,
    ContextLengthError,
    EmptyResponseError,
    OpenRouterClient,
    OpenRouterError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    ResponseParseError,
    ServiceUnavailableError,
    StreamInterruptedError,
    aclose_clients,
    close_clients,
)

ROOT = Path(__file__).parents[1]
CHANCE = 0.7
THREADS, TASKS = 12, 48
MEMORY_SLACK = 24 * 2**20
"""Bytes: how much the process may grow after its first tenth; Python gives memory back in arenas."""

BUSY = (ServiceUnavailableError, RateLimitError, ProviderError, APITimeoutError)
BROKEN = (StreamInterruptedError, ResponseParseError)
EXPECTED: dict[str, tuple[type[OpenRouterError], ...]] = {
    "none": (),
    "slow": (),
    "no_done": (),
    "no_finish": (),
    "duplicate_finish": (),
    "down": BUSY,
    "rate_limited": BUSY,
    "overloaded": BUSY,
    "timeout": BUSY,
    "error": BUSY,
    "moderation": (PermissionDeniedError,),
    "context_length": (ContextLengthError,),
    "availability": (ServiceUnavailableError,),
    "html": (ProviderError,),
    "error_in_200": BUSY,
    "mid_stream_error": (*BUSY, StreamInterruptedError),
    "choice_error": (*BUSY, StreamInterruptedError),
    "stall": (APITimeoutError, StreamInterruptedError),
    "cut": BROKEN,
    "reset": (*BROKEN, APIConnectionError),
    "half_json": BROKEN,
    "bad_data_line": BROKEN,
    "invalid_utf8": BROKEN,
    "empty_body": BROKEN,
    "empty": (EmptyResponseError,),
}
DETAILS: dict[str, dict[str, Any]] = {
    "slow": {"delay": 0.05},
    "stall": {"comments": True},
    "availability": {"code": "temporarily_unavailable"},
}


@dataclass
class Target:
    """A model at a provider, and what goes wrong there."""

    model: str
    provider: str
    fault: str


@dataclass
class Tally:
    """What came of the requests so far."""

    seen: dict[str, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in EXPECTED}
    )
    wrong: list[str] = field(default_factory=list)
    begun: int = 0
    ended: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> int:
        """Count a request; return its number."""
        with self._lock:
            self.begun += 1
            return self.begun

    def end(self, target: Target, ended_as: str, complaint: str | None) -> None:
        """Note the one way a request ended in."""
        with self._lock:
            self.ended += 1
            self.seen[target.fault][ended_as] += 1
            if complaint:
                self.wrong.append(f"{target.fault}: {complaint}")


def serve() -> None:
    """Run the emulator with all faults until stdin closes; say where, and what fails where, on stdout."""
    from openrouter_routing.emulator import Emulator

    # asyncio complains of each client that left.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with Emulator(seed=7) as emulator:
        pairs = sorted(
            {
                (endpoint.model, endpoint.tag.partition("/")[0])
                for endpoint in emulator.catalog.endpoints
                if ":" not in endpoint.model
                and "max_tokens" in (endpoint.supported_parameters or ())
            }
        )
        targets = []
        for fault, (model, provider) in zip(EXPECTED, pairs, strict=False):
            targets.append({"model": model, "provider": provider, "fault": fault})
            if fault != "none":
                emulator.fault(provider, model, fault, probability=CHANCE, **DETAILS.get(fault, {}))
        print(json.dumps({"base_url": emulator.base_url, "targets": targets}), flush=True)
        sys.stdin.read()


def words(number: int) -> str:
    """Return a text that no other request asks for."""
    return f"number {number}: " + " ".join(f"w{number * 31 + place}" for place in range(24))


def judge(target: Target, wanted: str, outcome: str | OpenRouterError) -> tuple[str, str | None]:
    """Return what a request ended as, and what is wrong with that."""
    if isinstance(outcome, str):
        wrong = None if outcome == wanted else f"wanted {wanted[:30]!r}..., got {outcome[:60]!r}"
        return "whole", wrong
    kind = type(outcome).__name__
    if not isinstance(outcome, EXPECTED[target.fault]):
        return kind, f"ended in {outcome!r}"
    if outcome.partial is not None and not wanted.startswith(outcome.partial.text):
        return kind, f"partial text {outcome.partial.text[:60]!r} is none of {wanted[:30]!r}..."
    return kind, None


class Load:
    """The requests: from threads and from tasks, streamed or whole, read to the end or left."""

    def __init__(self, base_url: str, targets: list[Target], count: int, seconds: float) -> None:
        settings: dict[str, Any] = {
            "api_key": "sk-or-v1-soak",
            "base_url": base_url,
            "max_retries": 1,
            "max_retry_wait": 0.05,
            "timeout": 20.0,
            "first_token_timeout": 5.0,
            "idle_timeout": 0.4,
            "on_empty": "raise",
        }
        self.client = OpenRouterClient(**settings)
        self.aclient = AsyncOpenRouterClient(**settings)
        self.targets = targets
        self.tally = Tally()
        self._count = count
        self._started, self._seconds = time.monotonic(), seconds
        self._random = random.Random(7)

    def wanted(self) -> bool:
        """Whether there is another request to make."""
        return self.tally.begun < self._count and self.gone() < 1

    def gone(self) -> float:
        """How much of the time has gone by: 0 to 1."""
        return (time.monotonic() - self._started) / self._seconds

    def plan(self) -> tuple[Target, str, str, dict[str, Any]]:
        """Choose the next request: where, which text, how it is asked for, and what is said."""
        number = self.tally.begin()
        target = self.targets[number % len(self.targets)]
        text = words(number)
        way = self._random.choice(["whole", "stream", "stream", "left"])
        options: dict[str, Any] = {"model": target.model, "only": [target.provider]}
        if target.fault == "stall" and way == "whole":
            options["timeout"] = 0.4
        return target, text, way, options

    def finish(self, target: Target, text: str, outcome: str | OpenRouterError | None) -> None:
        """Note how a request ended; None means that its stream was left on purpose."""
        if outcome is None:
            self.tally.end(target, "left", None)
        else:
            self.tally.end(target, *judge(target, text, outcome))

    def work(self) -> None:
        """Ask from a thread until there is nothing to ask."""
        while self.wanted():
            target, text, way, options = self.plan()
            messages = [{"role": "user", "content": f"Say exactly: {text}"}]
            outcome: str | OpenRouterError | None = None
            try:
                if way == "whole":
                    outcome = self.client.chat(messages, **options).text
                elif way == "stream":
                    outcome = "".join(
                        delta.content for delta in self.client.stream(messages, **options)
                    )
                else:
                    for _ in self.client.stream(messages, **options):
                        break
            except OpenRouterError as error:
                outcome = error
            except BaseException as error:
                self.tally.end(target, type(error).__name__, f"escaped: {error!r}")
                continue
            self.finish(target, text, outcome)

    async def awork(self) -> None:
        """Ask from a task until there is nothing to ask."""
        while self.wanted():
            target, text, way, options = self.plan()
            messages = [{"role": "user", "content": f"Say exactly: {text}"}]
            outcome: str | OpenRouterError | None = None
            try:
                if way == "whole":
                    outcome = (await self.aclient.chat(messages, **options)).text
                elif way == "stream":
                    stream = self.aclient.stream(messages, **options)
                    outcome = "".join([delta.content async for delta in stream])
                else:
                    async for _ in self.aclient.stream(messages, **options):
                        break
            except OpenRouterError as error:
                outcome = error
            except Exception as error:
                self.tally.end(target, type(error).__name__, f"escaped: {error!r}")
                continue
            self.finish(target, text, outcome)


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    memory: int
    sockets: int
    threads: int

    @classmethod
    def now(cls) -> Held:
        """Measure, after the garbage has been collected."""
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        links = (os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
        return cls(
            memory=resident * os.sysconf("SC_PAGE_SIZE"),
            sockets=sum("socket:" in link for link in links),
            threads=threading.active_count(),
        )


async def drive(load: Load, count: int) -> tuple[Held, int]:
    """Run threads and tasks until all is asked; return what was held after a tenth, and the tasks left over."""
    threads = [threading.Thread(target=load.work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    tasks = [asyncio.create_task(load.awork()) for _ in range(TASKS)]
    early: Held | None = None
    running: set[asyncio.Task[None]] = set(tasks)
    shown = time.monotonic()
    while running:
        _, running = await asyncio.wait(running, timeout=0.2)
        if early is None and (load.tally.ended >= count // 10 or load.gone() > 0.1):
            early = Held.now()
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            print(f"{load.tally.ended} of {load.tally.begun} ended", file=sys.stderr)
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    await asyncio.gather(*tasks)
    # Streams that were left are closed by tasks of the loop itself.
    for _ in range(20):
        await asyncio.sleep(0.05)
    await aclose_clients()
    return early or Held.now(), len(asyncio.all_tasks()) - 1


def print_table(tally: Tally) -> None:
    """Print how the requests ended, fault by fault."""
    print(f"\n{'fault':<18}{'requests':>9}{'whole':>8}{'left':>7}  errors")
    for fault, ends in tally.seen.items():
        failed = {name: number for name, number in ends.items() if name not in ("whole", "left")}
        told = ", ".join(f"{name} {number}" for name, number in sorted(failed.items())) or "-"
        print(f"{fault:<18}{ends.total():>9}{ends['whole']:>8}{ends['left']:>7}  {told}")
    print(f"{'all':<18}{tally.ended:>9}")


def main() -> int:
    """Soak, print what came of it; the exit code is 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000, help="how many (20,000)")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return 0
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak", "--serve"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        targets = [Target(**target) for target in told["targets"]]
        assert {target.fault for target in targets} == set(EXPECTED), "too few endpoints"
        return soak(told["base_url"], targets, arguments.requests, arguments.seconds or 86_400.0)
    finally:
        server.communicate("")


def soak(base_url: str, targets: list[Target], count: int, seconds: float) -> int:
    """Ask `count` times, or until the time is over."""
    for name in ("stamina", "openrouter_routing"):
        logging.getLogger(name).setLevel(logging.ERROR)
    before = Held.now()
    load = Load(base_url, targets, count, seconds)
    started = time.monotonic()
    early, tasks = asyncio.run(drive(load, count))
    elapsed = time.monotonic() - started
    close_clients()
    # The thread that watches over streams leaves a moment after the last of them.
    for _ in range(100):
        after = Held.now()
        if after.threads <= before.threads:
            break
        time.sleep(0.1)
    tally = load.tally
    print_table(tally)
    print(f"\n{tally.ended} requests in {elapsed:.0f} s ({tally.ended / elapsed:.0f} a second)")
    print(
        f"memory   {early.memory / 2**20:8.1f} MiB early, {after.memory / 2**20:.1f} MiB at the end"
    )
    print(f"sockets  {before.sockets:4d} before, {early.sockets} early, {after.sockets} at the end")
    print(f"threads  {before.threads:4d} before, {early.threads} early, {after.threads} at the end")
    print(f"tasks    {tasks:4d} left over")
    wrong = list(itertools.islice(tally.wrong, 20))
    if tally.begun != tally.ended:
        wrong.append(f"{tally.begun} requests began, {tally.ended} ended")
    if after.memory > early.memory + MEMORY_SLACK:
        wrong.append("memory grew")
    if (after.sockets, after.threads) > (before.sockets, before.threads) or tasks:
        wrong.append("sockets, threads or tasks were left over")
    for line in wrong:
        print(f"WRONG  {line}")
    print("\nEvery request ended in exactly one right way." if not wrong else "\nFAILED")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
