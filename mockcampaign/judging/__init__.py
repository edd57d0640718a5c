"""Judging a journal: facts, findings and the ledger. Nothing here sends, waits, opens a socket or reads a clock."""
