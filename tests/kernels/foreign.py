"""Prints the assembly of a format's products, compiled for another machine than this one: TARGET TRIPLE TAG.

numba makes machine code for the host of all that it compiles; here it is kept from doing so, since the host may know
none of the instructions. Only a process of its own may be treated like that.
"""

import sys

import llvmlite.binding as llvm
from numba.core import codegen

from fourcc.kernels.simd import target as targets


def only_llvm() -> None:
    """Keeps numba from making machine code."""

    def no_address(library: codegen.JITCodeLibrary, name: str) -> int:  # noqa: ARG001
        library._ensure_finalized()
        return 1

    codegen.JITCodeLibrary._finalize_specific = lambda library: None  # noqa: ARG005
    codegen.JITCodeLibrary.get_pointer_to_function = no_address
    codegen.JITCPUCodegen.set_env = lambda made, name, environment: None  # noqa: ARG005


def main(name: str, triple: str, tag: str) -> str:
    """The assembly."""
    chosen = next(each for each in targets.TARGETS if each.name == name)
    targets.target = lambda: chosen
    only_llvm()
    from fourcc import compute
    from fourcc.kernels import jit
    from fourcc.registry import registry
    from fourcc.tags import as_tag

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = jit.machine(chosen, triple)
    module = jit.module_of(compute.kernel_of(registry[as_tag(tag)]).tile, "tile")
    module.triple, module.data_layout = triple, str(machine.target_data)
    return str(machine.emit_assembly(module))


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
