"""Campaign's rules: when which list of events is sent, retried, discarded, and what is written down about it.

Everything here but `loop` is told the time and the outcomes, and does no input or output.
"""
