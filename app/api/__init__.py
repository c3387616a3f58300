"""The HTTP API: one router per resource, each endpoint decodes, calls one verb and encodes."""
