"""The container ``model.bin``: layout, index, reader, writer, verification. ``specs/container.md`` is its page."""
