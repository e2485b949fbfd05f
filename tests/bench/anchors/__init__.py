"""What the product is measured against: the least that could do the same work, and what others would use.

None of them imports the product: those of the peers run in an environment of their own.
"""
