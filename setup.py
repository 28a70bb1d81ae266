"""Build recipe: three source roots, one distribution.

`sdk`, `converters` and `tools` are folder names that would collide in
site-packages, so each holds one import package, and only those three packages
(with the skills and AIPP presets as their data) are installed.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOTS = {"npukit": "sdk", "npukit_convert": "converters", "npukit_cli": "tools"}
DATA = {"npukit_cli._skills": "skills", "npukit.aipp._presets": "aipp_configs"}

packages = list(DATA)
package_dir = dict(DATA)
for name, root in ROOTS.items():
    found = find_packages(root, include=[name, f"{name}.*"])
    packages += found
    package_dir.update({package: f"{root}/{package.replace('.', '/')}" for package in found})

setup(
    packages=packages,
    package_dir=package_dir,
    package_data={
        "npukit.aipp._presets": ["*.cfg", "README.md"],
        "npukit": ["boards/*.json", "targets/*.json", "operators/*.json", "py.typed"],
        "npukit_convert": ["*.json"],
        "npukit_cli.hilens_compat": ["inject/*.py"],
        "npukit_cli._skills": [
            str(path.relative_to("skills"))
            for path in sorted(Path("skills").rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        ],
    },
    include_package_data=False,
)
