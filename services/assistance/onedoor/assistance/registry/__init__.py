"""The low-income registry: which households stand in which tier, kept from decisions alone, and what the
lists of other offices say of them.
"""
