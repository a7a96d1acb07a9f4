"""Source servers, and the commands that their agents poll and answer."""

from collections.abc import Mapping

import msgspec

from wherry.client.calling import LONG_POLL_S, Caller
from wherry.client.transport import path_of
from wherry.contract import commands, fleet, sources, storage
from wherry.contract.overview import Overview
from wherry.contract.values import CreatedId


class SourceOperations(Caller):
    """Source servers, and the commands that their agents poll and answer."""

    def register_server(self, registration: sources.Registration) -> str:
        """RegisterServer: return the id of the source. Repeating it updates the same record, as the key is bound to it.

        The first registration of a new key may come twice when its answer was lost; the key is bound by then, so the
        second one finds the record.
        """
        return self._post("RegisterServer", path_of("v3", "sources"), registration, CreatedId).id

    def list_servers(self, **filters: object) -> sources.SourceList:
        """ListServers; *filters* are the operation's query parameters."""
        return self._get("ListServers", path_of("v3", "sources"), sources.SourceList, filters)

    def list_fleet(self, **filters: object) -> fleet.Fleet:
        """ListFleet: sources with their tasks; *filters* are the operation's query parameters."""
        return self._get("ListFleet", path_of("wherry", "v1", "fleet"), fleet.Fleet, filters)

    def show_server(self, source_id: str) -> sources.SourceDetail:
        """ShowServer."""
        return self._get("ShowServer", path_of("v3", "sources", source_id), sources.SourceDetail)

    def show_overview(self) -> Overview:
        """ShowOverview: how many sources are in which state."""
        return self._get("ShowOverview", path_of("v3", "sources", "overview"), Overview)

    def list_error_servers(self, **filters: object) -> sources.MigrationErrorList:
        """ListErrorServers; *filters* are the operation's query parameters."""
        return self._get("ListErrorServers", path_of("v3", "errors"), sources.MigrationErrorList, filters)

    def update_server(self, source_id: str, update: sources.SourceUpdate) -> None:
        """UpdateServerName: a new name, another project, a choice of disks."""
        self._put(path_of("v3", "sources", source_id), update)

    def delete_server(self, source_id: str) -> None:
        """DeleteServer."""
        self._delete(path_of("v3", "sources", source_id))

    def update_disk_info(self, source_id: str, disks: storage.DiskInfo) -> None:
        """UpdateDiskInfo."""
        self._put(path_of("v3", "sources", source_id, "diskinfo"), disks)

    def update_copy_state(self, source_id: str, copy_state: str, migration_cycle: str) -> None:
        """UpdateCopyState."""
        update = sources.CopyStateUpdate(copy_state=copy_state, migration_cycle=migration_cycle)
        self._put(path_of("v3", "sources", source_id, "changestate"), update)

    def show_command(self, source_id: str, *, wait_s: float = LONG_POLL_S) -> commands.Command:
        """ShowCommand; the server may keep the answer back for *wait_s* seconds until there's something to do."""
        path = path_of("v3", "sources", source_id, "command")
        return self._get("ShowCommand", path, commands.Command, wait_s=wait_s)

    def update_command_result(
        self, source_id: str, command_name: str, result: str, detail: Mapping[str, object]
    ) -> None:
        """UpdateCommandResult: durable when it returns. Repeating it is harmless."""
        raw = msgspec.Raw(msgspec.json.encode(detail))
        report = commands.CommandReport(command_name=command_name, result=result, result_detail=raw)
        self._send_body("POST", path_of("v3", "sources", source_id, "command_result"), report)
