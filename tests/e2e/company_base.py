"""A base image of somebody else's, made for a test."""
import pathlib

import kiln


def make_base(folder: pathlib.Path, files: dict[str, str] | None = None) -> pathlib.Path:
    """An OCI layout with `base`: a company's Debian 12, in two layers. The upper one adds a file, changes one and removes
    one; and it has `files`, programs where they begin with #!."""
    kiln.run(["mmdebstrap", "--variant=essential", "--include=passwd", "--skip=output/dev", "bookworm", folder / "debian.tar"])
    layout, bundle = folder / "layout", folder / "bundle"
    kiln.run(["umoci", "init", "--layout", layout])
    kiln.run(["umoci", "new", "--image", f"{layout}:base"])
    kiln.run(["umoci", "unpack", "--image", f"{layout}:base", bundle])
    kiln.run(["tar", "-C", bundle / "rootfs", "--numeric-owner", "-xf", folder / "debian.tar"])
    kiln.run(["umoci", "repack", "--refresh-bundle", "--image", f"{layout}:base", bundle])
    (bundle / "rootfs/etc/company").write_text("ours\n")
    (bundle / "rootfs/etc/debian_version").write_text("12.company\n")
    (bundle / "rootfs/etc/issue.net").unlink()
    for name, text in (files or {}).items():
        path = bundle / "rootfs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    kiln.run(["umoci", "repack", "--refresh-bundle", "--image", f"{layout}:base", bundle])
    kiln.remove(bundle)
    return layout
