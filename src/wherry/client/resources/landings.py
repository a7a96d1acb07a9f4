"""What becomes of a landed system: landings, target machines, rehearsals, launches."""

from collections.abc import Sequence

from wherry.client.calling import Caller
from wherry.client.transport import Call, path_of
from wherry.contract import landing
from wherry.contract.values import CreatedId, Empty


class LandingOperations(Caller):
    """What becomes of a landed system: landings, target machines, rehearsals, launches."""

    def show_landing(self, task_id: str, *, known: int | None = None, wait_s: float = 0.0) -> landing.Landing:
        """Return what became of a task's landed system; waits up to *wait_s* while the version is still *known*."""
        path = path_of("wherry", "v1", "tasks", task_id, "landing")
        return self._get("ShowLanding", path, landing.Landing, {"known": known}, wait_s=wait_s)

    def begin_landing(
        self, task_id: str, checkpoint: int, failed_units: Sequence[str] | None = None
    ) -> landing.Landing:
        """Say that a consistent checkpoint is proven. Repeating it is harmless.

        *failed_units*: of systemd, on the source; None where that isn't known.
        """
        path = path_of("wherry", "v1", "tasks", task_id, "landing")
        units = None if failed_units is None else list(failed_units)
        body = landing.LandingRequest(checkpoint=checkpoint, failed_units=units)
        return self._post("BeginLanding", path, body, landing.Landing)

    def show_target_machine(self, task_id: str) -> landing.TargetMachine:
        """Return the machine that the task's landed system is made to run on."""
        path = path_of("wherry", "v1", "tasks", task_id, "target-machine")
        return self._get("ShowTargetMachine", path, landing.TargetMachine)

    def show_rehearsal_settings(self, task_id: str) -> landing.RehearsalSettings:
        """Return what the rehearsals of the task's cutover and drill ask."""
        path = path_of("wherry", "v1", "tasks", task_id, "rehearsal-settings")
        return self._get("ShowRehearsalSettings", path, landing.RehearsalSettings)

    def update_rehearsal_settings(self, task_id: str, settings: landing.RehearsalSettings) -> None:
        """Replace what the rehearsals of the task's cutover and drill ask."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "rehearsal-settings"), settings)

    def recommend_target_machine(self, source_id: str, **filters: object) -> landing.TargetMachine:
        """Return the machine that a task of the source would be made for; *filters* are the query parameters."""
        path = path_of("wherry", "v1", "sources", source_id, "target-machine")
        return self._get("RecommendTargetMachine", path, landing.TargetMachine, filters)

    def update_target_machine(self, task_id: str, wish: landing.TargetMachineWish) -> None:
        """Replace what is wished of the task's target machine."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "target-machine"), wish)

    def show_console(self, rehearsal_id: str) -> str:
        """Return what a rehearsed copy wrote to its console."""
        path = path_of("wherry", "v1", "rehearsals", rehearsal_id, "console")
        return self._send(Call(method="GET", path=path)).decode(errors="replace")

    def show_screenshot(self, rehearsal_id: str) -> bytes:
        """Return the picture of a rehearsed copy's screen, as PNG."""
        path = path_of("wherry", "v1", "rehearsals", rehearsal_id, "screenshot")
        return self._send(Call(method="GET", path=path))

    def order_rehearsal(self, task_id: str, request: landing.RehearsalRequest) -> str:
        """Order a rehearsal and return its id. Not tried again once it may have arrived."""
        path = path_of("wherry", "v1", "tasks", task_id, "rehearsals")
        return self._post("OrderRehearsal", path, request, CreatedId, repeatable=False).id

    def show_rehearsal(self, rehearsal_id: str) -> landing.Rehearsal:
        """Return a rehearsal."""
        path = path_of("wherry", "v1", "rehearsals", rehearsal_id)
        return self._get("ShowRehearsal", path, landing.Rehearsal)

    def list_rehearsals(self, **filters: object) -> landing.RehearsalList:
        """Return the rehearsals that match; *filters* are the operation's query parameters."""
        return self._get("ListRehearsals", path_of("wherry", "v1", "rehearsals"), landing.RehearsalList, filters)

    def launch_target(self, task_id: str) -> None:
        """Have a landed system started. Not tried again once it may have arrived."""
        self._send_body("POST", path_of("wherry", "v1", "tasks", task_id, "launch"), {}, repeatable=False)

    def roll_back_target(self, task_id: str) -> None:
        """Have a launched target rolled back. Not tried again once it may have arrived."""
        self._send_body("POST", path_of("wherry", "v1", "tasks", task_id, "rollback"), {}, repeatable=False)

    def record_target(self, task_id: str) -> str:
        """Have console and screen of a launched target recorded; return the order's id. Repeating it is harmless."""
        path = path_of("wherry", "v1", "tasks", task_id, "recordings")
        return self._post("RecordTarget", path, Empty(), CreatedId).id

    def show_target_console(self, task_id: str) -> str:
        """Return the end of what a target had written to its console when it was recorded last."""
        path = path_of("wherry", "v1", "tasks", task_id, "console")
        return self._send(Call(method="GET", path=path)).decode(errors="replace")

    def show_target_screenshot(self, task_id: str) -> bytes:
        """Return the picture of a target's screen when it was recorded last, as PNG."""
        path = path_of("wherry", "v1", "tasks", task_id, "screenshot")
        return self._send(Call(method="GET", path=path))
