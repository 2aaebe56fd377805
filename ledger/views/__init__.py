"""The pages of the ledger: what was used, and how much may be."""
