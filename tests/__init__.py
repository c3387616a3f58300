"""Tests mirror the rooms; they run against real servers (see servers.py)."""
