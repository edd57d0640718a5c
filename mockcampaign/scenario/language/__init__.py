"""The scenario language: one set of definitions that loads files and makes the JSON Schema and the reference.

A module here imports only modules named before it:

1. `nodes` turns YAML text into nodes with places; `annotations` holds what a type hint says beyond Python's own types;
   `documented` reads docstrings.
2. `document` turns nodes into values of annotated types.
3. `values` defines numbers, durations and other plain values; `endpoints` the consumer and the webhooks; `expect` the
   expectations; `steps` one class for each step; `scenario_file` the whole file.
4. `schema` makes the JSON Schema. `reference`, with `examples`, makes the Markdown page.
"""
