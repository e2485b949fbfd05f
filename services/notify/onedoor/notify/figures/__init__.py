"""Counting lateness fairly: who held what for how long, and which duties were met in time.

Everything here is computed from passes (who laid what on whose table, and when) and from clocks. Both are
written from events alone, so that any figure of any past day can be computed again.
"""
