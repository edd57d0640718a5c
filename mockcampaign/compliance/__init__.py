"""Judging consumers: rules that look at a journal alone, and the catalogue, whose rules send what they need.

A journal alone is judged by `rules`, `tally`, `processed` and `shown`, which see no sender, no socket and no clock. In
a check, `examination` examines one `rule` of the `catalogue` after another, each on a `bench` with a sender of its own
and its part of the consumer's account (`own`); `reproduce` says how to see a violation again, and `sweep` whether it
rests on what is assumed of the sender. How a check begins and what it comes to as a whole is above, in
`mockcampaign.check`.
"""
