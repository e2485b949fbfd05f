"""What makes the load: always a process of its own, so that its work counts for no side."""
