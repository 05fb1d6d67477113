"""From a source and a policy to a model.bin: the plan, then the pipeline."""
