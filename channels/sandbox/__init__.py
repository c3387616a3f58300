"""Faithful local servers of the channels' interfaces: same paths, bodies, limits and errors, and faults on demand."""
