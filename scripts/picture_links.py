"""Pictures of the link to the page for a phone, of one computer and of a network, and of the list of servers."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from picture_bench import Server
from PyQt5.QtWidgets import QMessageBox

from blitz.io.address import ServerAddress
from blitz.ui.dialogs.all_servers import AllServersDialog
from blitz.ui.dialogs.known_server import KnownServerDialog
from blitz.ui.dialogs.phone_page import PhonePageDialog


def links(scene: Any) -> None:
    """A server of this computer alone, then one that phones reach, as an admin and as a viewer see them."""
    window = scene.window
    with Server(scene.folder / "own", "--simulate", "2") as server:
        scene.connect(server.url)
        scene.wait(lambda: window.live_page.variables.labels)
        scene.camera.run_for(3)
        window.menus["phone_page"].trigger()
        dialog = scene.find(PhonePageDialog)
        scene.take("phone_page_own")
        dialog.reject()
    data = scene.folder / "network"
    admin, viewer = (_link(data, role) for role in ("admin", "viewer"))
    with Server(data, "--simulate", "2", "--host", "0.0.0.0") as server:
        port = server.url.rpartition(":")[2]
        address = _own_address()
        for name, link in (("admin", admin), ("viewer", viewer)):
            scene.window.connect_to(ServerAddress.parse(f"blitz://{address}:{port}/#{link.partition('#')[2]}"))
            scene.wait(lambda: window.first.servers.connected and window.header.state.text() == "Not recording")
            scene.camera.run_for(3)
            window.menus["phone_page"].trigger()
            dialog = scene.find(PhonePageDialog)
            if name == "admin":
                scene.take("phone_page_empty")
                dialog.name.setText("Ann's phone")
                dialog.make.click()
                scene.wait(dialog.link.text)
            scene.take(f"phone_page_{name}")
            dialog.reject()


def server_list(scene: Any) -> None:
    """The list of servers: one of them gets another name and address, one is removed."""
    window, preferences = scene.window, scene.window.preferences
    for name, link in (("Blade rig", "http://10.0.0.7:8999"), ("Pump test", f"https://lab-pi:8999/#{32 * 'a7'}")):
        preferences.remember_server(ServerAddress.parse(link), name)
    with Server(scene.folder / "own", "--simulate", "2") as server:
        scene.connect(server.url)
        scene.wait(lambda: window.live_page.variables.labels)
        window.menus["servers"].trigger()
        scene.camera.run_for(1)
        scene.take("servers_recent")
        window.first.edits.change("https://lab-pi:8999", window)
        dialog = scene.find(KnownServerDialog)
        dialog.name.setText("Pump test, hall 2")
        dialog._address.setEditText("http://10.0.0.7:8999")
        dialog._fingerprint.clear()
        dialog.accept()
        scene.take("server_changed")
        dialog.reject()
        window.first.edits.remove("https://lab-pi:8999", window)
        scene.take("server_removed")
        scene.find(QMessageBox).reject()
        window.first.leave_page()
        window.all_servers.ask()
        every = scene.find(AllServersDialog)
        scene.wait(lambda: len(every.servers.rows) == 3 and every.servers.rows[-1].now is not None)
        every.servers_table.selectRow(1)
        scene.take("all_servers_change")
        every.reject()


def _own_address() -> str:
    """Return this machine's address in its network, without asking anybody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))
        return str(sock.getsockname()[0])


def _link(data: Path, role: str) -> str:
    words = ["token", "create", "--role", role, "--name", f"the {role}", "--host", "lab-pi", "--data-dir", str(data)]
    made = subprocess.run([sys.executable, "-m", "blitz", *words], capture_output=True, text=True, check=True)
    return made.stdout.splitlines()[0]
