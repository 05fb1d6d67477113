"""Work on other processes and machines: connecting, checking workers before they work, collecting what they return.

It knows nothing of what the work is. `fourcc.cluster.connection` finds the workers, `fourcc.cluster.conditions` states
what each must have and see, `fourcc.cluster.workers` hands out tasks. Only `fourcc.cluster.dask_executor` imports dask.
"""
