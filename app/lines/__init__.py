"""Lines to channels: what talks to one account, with means that all processes share."""
