"""A conversion on the workers of an executor: `spread` in `tensors` is what `transcode` is for one process.

The place of every part is known before its bytes are. So tensors are cut into pieces (`pieces`), which workers encode
and write at their places (`piece_task`, `piece_writer`); what shares a page or a checksum with another piece goes
through the process that hands out the work (`assembly`). Tensors whose length is not known, the loose ones, are encoded
first, into files of their own. The result is that of one process, byte for byte.
"""
