"""`python -m openrouter_routing.cli`."""

from openrouter_routing.cli import main

if __name__ == "__main__":
    main()
