"""Packages that Blitz does without unless somebody asks for what they do."""

import importlib
from typing import Any

from blitz.errors import PackageMissing


def optional_package(name: str, purpose: str, install: str) -> Any:
    """Import a package that may not be there, and return it.

    :param name: the module, such as ``scipy.signal``.
    :param purpose: what needs it, the beginning of a sentence.
    :param install: what to give pip.
    :raises PackageMissing: saying how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise PackageMissing(f'{purpose} needs {package}. Install it with: pip install "{install}"') from error
