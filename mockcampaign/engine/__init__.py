"""Campaign's rules: which batch is sent, retried or discarded when, and what the journal says about it.

Everything here except `loop` is given the time and the outcomes, and does no I/O.
"""
