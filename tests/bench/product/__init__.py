"""The product's own code, started the way its services start it, and measured."""
