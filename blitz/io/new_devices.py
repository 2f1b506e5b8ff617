"""New devices: USB serial ports that no source is for, as an operator is asked about them. Pure.

Nothing is opened before somebody says so: opening a port resets most boards.
"""

from collections.abc import Collection

from blitz.data.records import FoundDevice
from blitz.data.source_config import UsbIdentity
from blitz.io.identity import looks
from blitz.io.usb_ports import FoundPort


def device_key(identity: UsbIdentity) -> str:
    """Return what a device is ignored by: its serial number, or the place of one that has none.

    >>> device_key(UsbIdentity(vendor_id=0x1A86, product_id=0x7523, usb_path="1-2"))
    '1a86:7523:@1-2'
    """
    vendor_id, product_id, serial_number, interface = looks(identity)
    told = serial_number + (f":{interface}" if interface else "") if serial_number else f"@{identity.usb_path}"
    return f"{vendor_id:04x}:{product_id:04x}:{told}"


def new_device(port: FoundPort, ignored: Collection[str]) -> FoundDevice:
    """Return what is known of a device without opening it.

    :param ignored: keys of those that nobody wants to be asked about.
    """
    identity = port.identity
    if identity is None:
        return FoundDevice(port=port.port, maker=port.maker)
    return FoundDevice(
        port=port.port,
        maker=port.maker,
        usb_place=identity.usb_path.partition(":")[0],
        product=identity.product,
        serial_number=identity.serial_number,
        is_known_kind=port.is_known_kind,
        is_ignored=device_key(identity) in ignored,
    )
