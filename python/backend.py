# SPDX-License-Identifier: Apache-2.0
"""Builds the wheel (PEP 517): CMake builds the module, this packs it. Nothing but the standard library.

pip's --config-settings build-folder=FOLDER takes the module from a build that is there already, brought up to date.
"""
import base64
import hashlib
import io
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

root = Path(__file__).resolve().parent.parent
package = root / "python" / "fareline"
project = (root / "CMakeLists.txt").read_text()
version = re.search(r"project\(fareline VERSION ([0-9.]+)", project)[1]
name = f"fareline-{version}"
metadata = f"""Metadata-Version: 2.1
Name: fareline
Version: {version}
Summary: What a token costs on given hardware, how fast it comes, and why
License: Apache-2.0
Requires-Python: >=3.9
"""


def wheel_tag():
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-{python}-{re.sub(r'[-.]', '_', sysconfig.get_platform())}"


def built_module(settings):
    """The compiled module, and the folder it was built in."""
    folder = Path((settings or {}).get("build-folder") or root / "build" / "python").resolve()
    if not (folder / "build.ninja").exists():
        generator = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DFARELINE_PYTHON=ON", "-DFARELINE_TESTS=OFF",
                     f"-DPython3_EXECUTABLE={sys.executable}"]
        subprocess.run(["cmake", "-S", str(root), "-B", str(folder), *generator], check=True)
    subprocess.run(["ninja", "-C", str(folder), "fareline_python"], check=True)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    module = folder / "python" / "fareline" / f"_core{suffix}"
    if not module.exists():
        there = ", ".join(path.name for path in module.parent.glob("_core*")) or "none"
        raise SystemExit(f"{folder} builds no module for this Python ({suffix}), but {there}: give another build-folder, or none")
    return module


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {f"fareline/{path.name}": path.read_bytes() for path in sorted(package.iterdir()) if path.suffix in (".py", ".pyi", ".typed")}
    module = built_module(config_settings)
    files[f"fareline/{module.name}"] = module.read_bytes()
    files[f"{name}.dist-info/METADATA"] = metadata.encode()
    files[f"{name}.dist-info/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: fareline\nRoot-Is-Purelib: false\nTag: {wheel_tag()}\n".encode()
    files[f"{name}.dist-info/LICENSE"] = (root / "LICENSE").read_bytes()
    record = f"{name}.dist-info/RECORD"
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}\n")
    files[record] = ("".join(lines) + f"{record},,\n").encode()
    wheel = f"{name}-{wheel_tag()}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    archive = f"{name}.tar.gz"
    with tarfile.open(Path(sdist_directory) / archive, "w:gz", format=tarfile.PAX_FORMAT) as out:
        for top in ("CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "pyproject.toml", "apps", "data", "python", "src", "tools"):
            out.add(root / top, f"{name}/{top}", filter=lambda info: None if "__pycache__" in info.name else info)
        info = tarfile.TarInfo(f"{name}/PKG-INFO")
        info.size = len(metadata.encode())
        out.addfile(info, io.BytesIO(metadata.encode()))
    return archive
