"""Channels and stock kept together: numbers out, orders in, each connection by one process at a time."""
