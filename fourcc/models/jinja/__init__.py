"""A model's own chat template, a Jinja program: run in a process of its own, with every character's origin kept."""
