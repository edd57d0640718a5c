"""Scenario files: YAML to frozen values, refused whole with file:line:column where anything is wrong, and played.

`document` knows YAML and types, `language` the keys, `load` what a whole scenario must satisfy, `play` how to carry
one out, `judge` what came of it. Nothing here prints or ends the process.
"""
