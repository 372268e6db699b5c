"""Compiles every module below FOLDER as Python itself would, into OUTPUT and there under its whole path.

    python compile.py FOLDER OUTPUT

The bytes are the same each time: one process, modules in order, hashes that are not checked instead of times. The
environment has to say PYTHONHASHSEED=0. What does not compile (templates, tests of syntax errors) is no module and is left out.
"""
import importlib.util
import os
import py_compile
import sys
import warnings

folder, output = sys.argv[1:]
warnings.simplefilter("ignore")
for where, folders, files in os.walk(folder):
    folders.sort()
    for name in sorted(files):
        source = os.path.join(where, name)
        if name.endswith(".py") and os.path.isfile(source):
            try:
                py_compile.compile(source, output + importlib.util.cache_from_source(source), doraise=True,
                                   invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)  # fmt: skip
            except (py_compile.PyCompileError, ValueError, RecursionError):
                pass
