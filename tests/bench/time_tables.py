"""Times a table of 1,000 tensors as the command line writes it and as the package rich does, in processes of their own.

    python -m tests.bench.time_tables

Prints CPU time in milliseconds beyond a bare interpreter's, the least of 15 runs, and the version of rich.
"""

import importlib.metadata
import resource
import subprocess
import sys

ROUNDS = 15
ROWS = (
    "rows = [[f'layers.{n}.attention.wq', '4096 x 4096', 'Q4_K', '4.5', '9437184', '0.07', '23.1', '3'] "
    "for n in range(1000)]\n"
)
OURS = "from fourcc.cli.render import tables\nfrom fourcc.cli.render.tables import Column\n"
THEIRS = "import rich.console, rich.table\n"
PROGRAMS = {
    "ours, loaded": OURS,
    "ours, 1,000 rows": f"{ROWS}{OURS}columns = [Column(c, leave=n) for n, c in enumerate('abcdefgh')]\n"
    "print('\\n'.join(tables.lines(columns, rows, 80)))",
    "rich, loaded": THEIRS,
    "rich, 1,000 rows": f"{ROWS}{THEIRS}table = rich.table.Table(*'abcdefgh', box=None)\n"
    "for row in rows: table.add_row(*row)\nrich.console.Console(width=80).print(table)",
}


def milliseconds(program: str) -> float:
    """CPU time of a program, user and system, the least of all rounds."""
    times = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1000 * min(times)


def main() -> None:
    """Prints the times."""
    bare = milliseconds("")
    lines = [f"{name}: {milliseconds(program) - bare:.0f} ms" for name, program in PROGRAMS.items()]
    sys.stdout.write("\n".join([*lines, f"rich {importlib.metadata.version('rich')}", ""]))


if __name__ == "__main__":
    main()
