"""Options, opening and signals that several commands share."""
