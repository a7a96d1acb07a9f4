"""The page of the receivers: room, drivers, servers, and whether they're connected."""

from pathlib import Path

from tests.unit.console_visitor import reader, run, signed_in
from tests.unit.server_harness import Harness
from tests.unit.test_server_landing import landing

HOSTILE = "<script>alert('x')</script>"


def test_a_receiver_is_shown_with_room_drivers_and_servers(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        server = {
            "id": "vm-7",
            "name": HOSTILE,
            "runs": False,
            "addresses": ["198.51.100.7"],
            "disks": [{"size": 3 * 2**30, "name": "sda"}],
        }
        receiver_id = await landing(
            plane, await plane.admin(), drivers=["image", "qemu"], free_bytes=5 * 2**30, servers=[server]
        )
        for visitor in (await signed_in(plane), await reader(plane)):
            page = (await visitor.get("/console/receivers")).text
            assert f'id="receiver-{receiver_id}"' in page
            assert ">Connected<" in page
            for text in ("5.00 GiB", "192.0.2.9:9000", "image, qemu", "198.51.100.7", "sda 3.00 GiB", "Switched off"):
                assert text in page, text
            assert HOSTILE not in page
            assert f"/console/tasks?receiver={receiver_id}" in page

    run(tmp_path / "data", check)


def test_one_that_never_came_says_so(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        visitor = await signed_in(plane)
        assert "No receiver has joined yet." in (await visitor.get("/console/receivers")).text
        admin = await plane.admin()
        token = (await admin.post("/wherry/v1/join-tokens", json={"role": "receiver"})).json()["token"]
        await plane.client().post("/wherry/v1/join", json={"token": token, "name": "silent"})
        page = (await visitor.get("/console/receivers")).text
        assert ">silent</h2>" in page
        assert "Never connected yet" in page

    run(tmp_path / "data", check)
