"""From results to text: tables, JSON documents, progress, messages."""
