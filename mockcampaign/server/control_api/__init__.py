"""The double's own API: events, faults, time, the journal and its live stream."""
