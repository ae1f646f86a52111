"""What runs inside a workload: agents. Imports the model and msgspec, nothing else of Lamplighter."""
