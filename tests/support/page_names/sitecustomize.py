"""The name service of the machines in the documents: `bench1`, `lab-pi` and the others are this machine.

Python imports it in each program that an example starts.
"""

import os
import socket
from typing import Any

names = set(os.environ.get("PAGE_NAMES", "").split(","))
look_up = socket.getaddrinfo


def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    return look_up("127.0.0.1" if name in names else host, *arguments, **options)


socket.getaddrinfo = getaddrinfo
