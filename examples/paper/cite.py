#!/usr/bin/env python3
"""Bakes the image of this folder and prints how to cite it: by the digest, which names these bytes and no others."""
import json
import os
import subprocess
import sys


def main() -> int:
    torchkiln = os.environ.get("TORCHKILN", "torchkiln")
    baked = subprocess.run([torchkiln, "bake", "--json", *sys.argv[1:]], stdout=subprocess.PIPE, text=True, check=True,
                           cwd=os.path.dirname(os.path.abspath(__file__)))  # fmt: skip
    for image in json.loads(baked.stdout)["images"]:
        name, tag = image["reference"].rsplit(":", 1)
        print(f"@misc{{{name.replace('/', '-')}-image,\n"
              f"  title = {{Container image {name}, {tag}}},\n"
              f"  howpublished = {{{name}@{image['digest']}}},\n"
              f"  note = {{kiln.toml and kiln.lock rebuild it bit for bit; tested to level {image['level_reached']}}}\n}}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
