"""Webhooks out: what happens, posted to whoever wants to know, signed (Standard Webhooks 1.0) and until it arrives."""
