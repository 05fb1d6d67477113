"""Makes products from a block decoder: traces it, lowers the trace to vectors, fuses it with the multiplication."""
