"""Prints the assembly of a format's products, compiled for another machine than this one: TARGET TRIPLE TAG.

In place of a tag MODULE:FUNCTION names a kernel of `fourcc.kernels`. Target and host are replaced for all that is built
here: a process of its own is needed.
"""

import sys
from importlib import import_module

import llvmlite.binding as llvm

from fourcc import compute
from fourcc.kernels.compiler import jit
from fourcc.kernels.simd import target as targets
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag


def main(name: str, triple: str, tag: str) -> str:
    """The assembly."""
    chosen = next(each for each in targets.TARGETS if each.name == name)
    targets.target = lambda: chosen
    architecture = triple.partition("-")[0]
    targets.host = lambda: (architecture, chosen.needs)
    generic = "x86-64" if architecture == "x86_64" else "generic"
    jit.processor = lambda made_for: (made_for.cpu or generic, ",".join(f"+{name}" for name in made_for.needs))
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = jit.machine(chosen, triple)
    return str(machine.emit_assembly(jit.module_of(kernel_of(tag), "tile", machine)))


def kernel_of(tag: str) -> jit.KernelFunction:
    """The products of a format, or the kernel that is named."""
    module, _, name = tag.partition(":")
    if name:
        named: jit.KernelFunction = getattr(import_module(f"fourcc.kernels.{module}"), name)
        return named
    return compute.kernel_of(registry[as_tag(tag)]).tile


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
