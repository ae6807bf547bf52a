"""`python -m benchmarks`: measure this package beside the peers and the floors, and print the table.

python -m benchmarks                      all rows, all clients; --write puts the table into docs/performance.md
python -m benchmarks --quick              the main rows without the peers, in under a minute
python -m benchmarks --case stream        one row
python -m benchmarks --guard              fail where a row got worse than benchmarks/baseline.json has it
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.cases import CASES, Case
from benchmarks.clients import CLIENTS
from benchmarks.document import write_numbers
from benchmarks.guard import guard
from benchmarks.peers import peer_python
from benchmarks.rounds import FLOOR_OF, progress, run_case, run_imports, workers
from benchmarks.table import OURS, described, report

IMPORT_CASE = Case("import", "import and construct", 1)


def main() -> None:
    """Measure, print, and write where asked to."""
    arguments = _arguments()
    if arguments.guard:
        sys.exit(guard(sys.executable, write=arguments.write))
    python = sys.executable if arguments.here else str(peer_python())
    names = arguments.client or list(CLIENTS)
    if arguments.quick:
        names = [name for name in names if name in OURS or name in FLOOR_OF.values()]
    cases = [case for case in CASES if case.name in arguments.case] if arguments.case else CASES
    if arguments.quick and not arguments.case:
        cases = [case for case in CASES if case.quick]
    results = []
    with workers(python, names) as started:
        for case in cases:
            progress(case.title)
            results.append((case, run_case(case, started, arguments.rounds)))
    if not arguments.case or IMPORT_CASE.name in arguments.case:
        progress(IMPORT_CASE.title)
        results.append((IMPORT_CASE, run_imports(python, names, min(arguments.rounds, 9))))
    text = report(results, described(python, arguments.rounds))
    print(text)
    if arguments.write:
        write_numbers(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure this package beside its peers."
    )
    parser.add_argument("--quick", action="store_true", help="the main rows, without the peers")
    parser.add_argument("--rounds", type=int, default=15, help="how many rounds (15)")
    parser.add_argument("--case", action="append", help="only this row; may be given again")
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only this client")
    parser.add_argument("--here", action="store_true", help="use this Python, peers or not")
    parser.add_argument("--guard", action="store_true", help="compare ratios with the baseline")
    parser.add_argument(
        "--write", action="store_true", help="write into docs/performance.md, or a new baseline"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
