"""Sample consumers: a correct one, and one for each of many realistic bugs.

`correct` is the correct one, in parts; `bugs` has a module for each family of bugs, each of which replaces a part;
`consumer` makes an application of either.
"""
