"""Which packages a wheel holds; all else about the distribution is in pyproject.toml.

``conf/`` lies at the root, where ``train.py`` reads it, and is installed as ``lrsched.conf``, where ``lrsched train``
does. No table in pyproject.toml can both find packages and rename one. ``_hydra`` and ``hydra_plugins`` are namespaces.
"""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["lrsched", "lrsched.*"]), "lrsched.conf"],
    package_dir={"lrsched.conf": "conf"},
)
