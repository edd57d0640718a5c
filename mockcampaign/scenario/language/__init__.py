"""The scenario language: its definitions, and how YAML becomes values of them."""
