"""Every event of the system, one module per owner."""
