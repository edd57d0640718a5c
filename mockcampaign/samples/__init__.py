"""Sample consumers: one that does everything right, and one for each of many realistic mistakes.

`correct` is the right one, part by part; `bugs` has a module for each family of mistakes, each a variant of a part;
`consumer` makes an application of either.
"""
