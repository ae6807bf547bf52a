"""What a call costs beside the peers and beside the floor: `python -m benchmarks` (or `make bench`)."""
