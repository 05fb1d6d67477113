"""From a source and a policy to a model.bin: the plan, then the pipeline.

The package is not called `fourcc.convert`, since that is the function: an import of a module of that name would put the
module in the function's place.
"""
