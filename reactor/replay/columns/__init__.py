"""The replay at column speed: what the live engine does one event at a time, done for all at once.

Work is done once a distinct value, or in numpy; what has no such form goes through the very
functions of the live engine, so that the answers are its own.
"""
