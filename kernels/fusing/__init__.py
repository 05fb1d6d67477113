"""Products made from a block decoder: traced, lowered to vectors, fused with the multiplication."""
