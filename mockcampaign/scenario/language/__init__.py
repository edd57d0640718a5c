"""The scenario language: one set of definitions that loads files and makes the JSON Schema and the reference.

A module here imports only modules in lines above its own:

1. `annotations` say what Python's types cannot.
2. `nodes` turns YAML text into nodes with places; `documented` reads docstrings; `step_examples` are YAML text.
3. `document` turns nodes into values of annotated types; `plain_values` defines numbers, durations and the like.
4. `endpoints` defines the consumer and the webhooks; `expect` defines the expectations.
5. `steps` defines one class for each step.
6. `scenario_file` defines the whole file.
7. `schema` makes the JSON Schema.
8. `reference` makes the Markdown page.
"""
