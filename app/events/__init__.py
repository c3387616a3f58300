"""Events: what changes of the numbers channels may promise, as it happens."""
