"""The desk: the web of OneDoor. It projects every event into its own read model and shows it live."""
