"""Load: what a consumer does when events occur at a given rate, on the wall clock.

Events occur at their moments whatever the consumer does (an open model). The engine's own machine delivers them, so
batches, retries and expiry are those of every other run. Nothing here decides what Campaign would send.
"""
