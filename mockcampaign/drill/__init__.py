"""Drills: run the team's own code against a server whose REST API fails call by call, and judge what it leaves.

The code is a command of its own. Every judgement is made from the journal and the exit statuses of the command.
"""
