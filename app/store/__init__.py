"""SQL: what must be remembered. The only place that knows tables; what leaves it are frozen dataclasses."""
