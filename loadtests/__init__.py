"""Benchmarks and load scenarios. They use the service as its callers do: over HTTP."""
