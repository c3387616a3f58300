"""Whether Valkey, its ledger and SQL agree, what is broken where they do not, and how it is put right."""
