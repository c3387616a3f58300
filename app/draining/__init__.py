"""The drain: what happened goes from Valkey's ledger into SQL, once, and only then leaves Valkey."""
