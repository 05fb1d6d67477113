"""Models that lie on a hub or another server: what they are called, and how their bytes come.

huggingface_hub is loaded when such a model is asked for, and not before.
"""
