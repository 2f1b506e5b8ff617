"""The format doctor: what a device's bytes mean, proposed from a sample of them.

Pure. Compares ways of reading the sample by their evidence, and says how sure it is. The listening is done by
:mod:`blitz.cli.doctor`.
"""

from blitz.io.doctor_text import guess_definition

__all__ = ["guess_definition"]
