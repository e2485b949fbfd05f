"""Payments: what the decisions on a programme owe each month, the lists that pay it, and the ledger of both.

Nothing here decides anything. Decisions arrive as events of the case; whatever they owe and the ledger has
not paid is on the next list, whatever was paid too much is taken off it. Money is whole fen.
"""
