"""Scenario files: loaded into plans, played, and judged.

`language` defines the keys, `load` checks whole files, `play` plays a plan, `judge` judges its journal. A mistake in a
file is reported with file:line:column before anything is sent. Nothing here prints or ends the process.
"""
