"""Side by side with the peers: `python -m benchmarks`; README.md says how to read it."""
