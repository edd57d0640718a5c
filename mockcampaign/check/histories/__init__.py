"""Random histories: what they consist of, how one number gives each of them, and how a failing one is reduced.

Nothing here delivers anything: the steps act on a bench, as rules do.
"""
