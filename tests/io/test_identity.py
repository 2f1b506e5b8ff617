"""Which port belongs to which source: by serial number, by the board's id, by place, or by asking the operator."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from blitz.data.source_config import SourceConfig, UsbIdentity
from blitz.io.identity import Matching, attach, looks, match
from blitz.io.usb_ports import FoundPort

CH340 = {"vendor_id": 0x1A86, "product_id": 0x7523}


def device(port: str, place: str, serial_number: str = "") -> FoundPort:
    return FoundPort(port, "", UsbIdentity(**CH340, serial_number=serial_number, usb_path=place))


def source(name: str, place: str, serial_number: str = "", board_id: str | None = None) -> SourceConfig:
    identity = UsbIdentity(**CH340, serial_number=serial_number, usb_path=place)
    return SourceConfig(name=name, link=f"/dev/old-{name}", identity=identity, board_id=board_id)


def test_a_device_with_a_serial_number_keeps_its_source_under_another_name_and_place() -> None:
    found = match([source("a", "1-1", "S1"), source("b", "1-2", "S2")], [device("USB0", "3-1", "S2")])
    assert found == Matching(attached={"b": "USB0"})


def test_another_device_never_takes_the_place_of_one_with_a_serial_number() -> None:
    found = match([source("a", "1-1", "S1")], [device("USB0", "1-1", "S2"), device("USB1", "1-2")])
    assert found == Matching(fresh=["USB0", "USB1"])


def test_a_source_without_identity_is_its_path() -> None:
    sources = [
        SourceConfig(name="pty", link="/dev/pts/7"),
        SourceConfig(name="net", link="socket://10.0.0.2:5000"),
        SourceConfig(name="usb", link="/dev/by-id/x"),
        SourceConfig(name="same", link="USB0"),
    ]
    found = match(sources, [device("USB0", "1-1")], resolve=lambda path: path.replace("/dev/by-id/x", "USB0"))
    assert found == Matching(attached={"pty": "/dev/pts/7", "net": "socket://10.0.0.2:5000", "usb": "USB0"})


def test_a_known_device_is_not_taken_by_a_source_that_is_only_a_path() -> None:
    known = source("known", "1-1", "S1")
    found = match([SourceConfig(name="path", link="USB0"), known], [device("USB0", "1-5", "S1")])
    assert found == Matching(attached={"known": "USB0"})


def test_two_clones_each_at_its_place_are_attached() -> None:
    found = match([source("a", "1-1"), source("b", "1-2")], [device("USB1", "1-1"), device("USB0", "1-2")])
    assert found == Matching(attached={"a": "USB1", "b": "USB0"})


def test_a_third_clone_is_fresh() -> None:
    ports = [device("USB0", "1-1"), device("USB1", "1-2"), device("USB2", "1-3")]
    found = match([source("a", "1-1"), source("b", "1-2")], ports)
    assert found == Matching(attached={"a": "USB0", "b": "USB1"}, fresh=["USB2"])


def test_clones_that_changed_places_follow_their_ids_once_these_are_known() -> None:
    sources = [source("a", "1-1", board_id="08"), source("b", "1-2", board_id="09")]
    ports = [device("USB0", "1-1"), device("USB1", "1-2")]
    assert match(sources, ports).attached == {"a": "USB0", "b": "USB1"}
    assert match(sources, ports, {"USB0": "09"}).attached == {"b": "USB0"}
    assert match(sources, ports, {"USB0": "09"}).needs_asking == ["USB1"]
    assert match(sources, ports, {"USB0": "09", "USB1": "08"}) == Matching(attached={"b": "USB0", "a": "USB1"})


def test_a_clone_that_prints_and_was_moved_is_left_to_the_operator() -> None:
    found = match([source("a", "1-1"), source("b", "1-2")], [device("USB0", "1-3")])
    assert found == Matching(ambiguous={"a": ("USB0",), "b": ("USB0",)})
    found = match([source("a", "1-1"), source("b", "1-2")], [device("USB0", "1-3"), device("USB1", "1-1")])
    assert found == Matching(attached={"a": "USB1"}, ambiguous={"b": ("USB0",)})


def test_the_operator_is_asked_once() -> None:
    moved = device("USB0", "1-3")
    answered = attach(source("a", "1-1"), moved)
    assert answered.link == "USB0"
    assert match([answered, source("b", "1-2")], [moved]) == Matching(attached={"a": "USB0"})


def test_a_moved_clone_is_asked_for_its_id() -> None:
    sources = [source("a", "1-1", board_id="08"), source("b", "1-2", board_id="09")]
    moved = [device("USB0", "1-3")]
    assert match(sources, moved) == Matching(needs_asking=["USB0"])
    assert match(sources, moved, {"USB0": "09"}) == Matching(attached={"b": "USB0"})
    assert match(sources, moved, {"USB0": "0a"}) == Matching(fresh=["USB0"])
    assert match(sources, moved, {"USB0": None}) == Matching(fresh=["USB0"])


def test_an_id_that_was_heard_counts_only_when_no_other_clone_can_have_it() -> None:
    known = [source("a", "1-1", board_id="08")]
    ports = [device("USB0", "1-3"), device("USB1", "1-4")]
    assert match(known, ports, {"USB0": "08"}) == Matching(needs_asking=["USB1"])
    assert match(known, ports, {"USB0": "08", "USB1": "09"}) == Matching(attached={"a": "USB0"}, fresh=["USB1"])
    assert match(known, ports, {"USB0": "08", "USB1": "08"}) == Matching(ambiguous={"a": ("USB0", "USB1")})


def test_two_boards_with_one_id_are_told_apart_by_place() -> None:
    sources = [source("a", "1-1", board_id="08"), source("b", "1-2", board_id="08")]
    ports = [device("USB0", "1-2"), device("USB1", "1-1")]
    assert match(sources, ports, {"USB0": "08", "USB1": "08"}).attached == {"b": "USB0", "a": "USB1"}


def test_a_board_that_is_silent_keeps_its_place() -> None:
    assert match([source("a", "1-1", board_id="08")], [device("USB0", "1-1")], {"USB0": None}).attached == {"a": "USB0"}


def test_a_serial_number_that_several_devices_have_counts_as_none() -> None:
    ports = [device("USB0", "1-1", "0001"), device("USB1", "1-2", "0001")]
    assert match([source("a", "1-2", "0001")], ports) == Matching(attached={"a": "USB1"}, fresh=["USB0"])
    assert match([source("a", "1-3", "0001")], ports) == Matching(ambiguous={"a": ("USB0", "USB1")})


def test_an_adapter_that_now_leads_to_another_board_is_another_device() -> None:
    first = source("a", "1-1", "S1", board_id="08")
    ports = [device("USB0", "1-1", "S1")]
    assert match([first], ports, {"USB0": "09"}) == Matching(fresh=["USB0"])
    both = [first, source("b", "1-1", "S1", board_id="09")]
    assert match(both, ports) == Matching(needs_asking=["USB0"])
    assert match(both, ports, {"USB0": "09"}) == Matching(attached={"b": "USB0"})


def test_the_two_ports_of_one_device_are_not_clones() -> None:
    sources = [source("a", "1-1:1.0", "S1"), source("b", "1-1:1.1", "S1")]
    ports = [device("USB3", "2-1:1.1", "S1"), device("USB2", "2-1:1.0", "S1")]
    assert match(sources, ports) == Matching(attached={"a": "USB2", "b": "USB3"})


def test_where_the_system_tells_no_place_the_port_name_is_one() -> None:
    clone = SourceConfig(name="a", link="COM3", identity=UsbIdentity(**CH340))
    ports = [device("COM3", ""), device("COM4", "")]
    assert match([clone], ports) == Matching(attached={"a": "COM3"}, fresh=["COM4"])


ids = st.sampled_from([None, "08", "09"])
serial_numbers = st.sampled_from(["", "0001", "S1"])
places = st.sampled_from(["1-1", "1-2", "1-3", "1-4", ""])
links = st.sampled_from(["USB0", "USB1", "/dev/pts/1"])


@st.composite
def benches(draw: st.DrawFn) -> tuple[list[SourceConfig], list[FoundPort], Mapping[str, str | None]]:
    sources = []
    for number in range(draw(st.integers(0, 5))):
        identity = draw(
            st.none() | st.builds(UsbIdentity, **as_constants(), serial_number=serial_numbers, usb_path=places)
        )
        board_id = draw(ids) if identity else None
        sources.append(SourceConfig(name=f"s{number}", link=draw(links), identity=identity, board_id=board_id))
    taken = draw(st.lists(places.filter(bool), max_size=4, unique=True))
    ports = [device(f"USB{number}", place, draw(serial_numbers)) for number, place in enumerate(taken)]
    if draw(st.booleans()):
        ports.append(FoundPort("/dev/ttyS0"))
    known = {port.port: draw(ids) for port in ports if draw(st.booleans())}
    return sources, ports, known


def as_constants() -> dict[str, st.SearchStrategy[int]]:
    return {name: st.just(number) for name, number in CH340.items()}


@given(benches())
def test_no_port_goes_to_two_sources_and_none_to_a_source_that_it_contradicts(
    bench: tuple[list[SourceConfig], list[FoundPort], Mapping[str, str | None]],
) -> None:
    sources, ports, board_ids = bench
    found = match(sources, ports, board_ids)
    by_name = {each.name: each for each in sources}
    by_port = {each.port: each for each in ports}
    assert len(set(found.attached.values())) == len(found.attached)
    assert not found.attached.keys() & found.ambiguous.keys()
    spoken_for = {port for candidates in found.ambiguous.values() for port in candidates} | {*found.needs_asking}
    assert not spoken_for & {*found.attached.values(), *found.fresh}
    assert not {*found.attached.values()} & {*found.fresh}
    assert all(port not in board_ids for port in found.needs_asking)
    for name, port_name in found.attached.items():
        one, port = by_name[name], by_port.get(port_name)
        if one.identity is None:
            assert port_name == one.link
        else:
            assert port is not None
            assert port.identity is not None
            assert looks(port.identity) == looks(one.identity)
            assert None in (one.board_id, board_ids.get(port_name)) or one.board_id == board_ids[port_name]
    assert match(sources[::-1], ports[::-1], board_ids).attached.items() >= {
        (name, port) for name, port in found.attached.items() if by_name[name].identity is not None
    }


@given(benches())
def test_asking_comes_to_an_end(
    bench: tuple[list[SourceConfig], list[FoundPort], Mapping[str, str | None]],
) -> None:
    sources, ports, _ = bench
    told: dict[str, str | None] = {}
    while asked := match(sources, ports, told).needs_asking:
        told.update(dict.fromkeys(asked))
    assert len(told) <= len(ports)
