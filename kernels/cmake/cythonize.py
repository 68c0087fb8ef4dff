"""Runs Cython from wherever it is installed today.

Usage: ``python -I cythonize.py PATH_FILE MODULE SOURCE OUTPUT``. An isolated build has a new
temporary environment each time, so no path of it may appear in the build files: ``PATH_FILE``
holds today's ``sys.path``, one entry a line, and Cython's own include files are left out of the
dependency file.
"""

import sys
from pathlib import Path


def main(path_file: str, module: str, source: str, output: str) -> int:
    """Translates one ``.pyx`` file and writes ``OUTPUT`` and ``OUTPUT.dep``."""
    sys.path[:0] = Path(path_file).read_text().splitlines()
    import Cython
    from Cython.Compiler.Main import compile as translate
    from Cython.Compiler.Options import CompilationOptions, default_options

    Path(output).parent.mkdir(parents=True, exist_ok=True)
    options = CompilationOptions(
        default_options,
        include_path=[str(Path(source).parents[2])],
        output_file=output,
        cplus=True,
        language_level=3,
        depfile=None,
    )
    result = translate(source, options, full_module_name=module)
    if result is None or result.num_errors:
        return 1
    own = Path(str(Cython.__file__)).parent
    sources = [Path(source), *Path(source).parent.glob("*.px[di]")]
    sources = [path.resolve() for path in sources if own not in path.parents]
    escaped = (str(path).replace(" ", "\\ ") for path in sources)
    Path(output + ".dep").write_text(f"{output}: {' '.join(escaped)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
