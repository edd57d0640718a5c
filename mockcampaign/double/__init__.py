"""The double of Campaign that Python code controls: in tests of pytest and others, and in scripts.

`control` has the methods, which are the same everywhere. `in_process` and the server of the pytest plugin are places
where a campaign runs. Nothing here imports a test runner.
"""
