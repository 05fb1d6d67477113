"""Prints the assembly of a format's products, compiled for another machine than this one: TARGET TRIPLE TAG.

The target is replaced for all that is built here: a process of its own is needed.
"""

import sys

import llvmlite.binding as llvm

from fourcc.kernels.simd import target as targets


def main(name: str, triple: str, tag: str) -> str:
    """The assembly."""
    chosen = next(each for each in targets.TARGETS if each.name == name)
    targets.target = lambda: chosen
    from fourcc import compute
    from fourcc.kernels import jit
    from fourcc.registry import registry
    from fourcc.tags import as_tag

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = jit.machine(chosen, triple)
    module = jit.module_of(compute.kernel_of(registry[as_tag(tag)]).tile, "tile", machine)
    return str(machine.emit_assembly(module))


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
