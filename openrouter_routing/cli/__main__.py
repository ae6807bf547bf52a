"""`python -m openrouter_routing.cli`."""

from openrouter_routing.cli import main

main()
