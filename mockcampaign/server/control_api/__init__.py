"""The API of the double itself: events, faults, time, the journal and its live stream."""
