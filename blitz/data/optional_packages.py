"""Packages that Blitz does without unless somebody asks for what they do."""

import importlib
import sys
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


class _WithoutPandas:
    """Stands before all that finds modules. None in ``sys.modules`` is not enough: pyarrow takes that for pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out of this program", name=name)


def leave_out_pandas() -> None:
    """Let pyarrow think that pandas is not installed; for programs that make no data frames, before they use it.

    Where it is installed, pyarrow loads it with the first array: half a second, and some 40 MB for nothing.
    """
    sys.meta_path.insert(0, _WithoutPandas)
