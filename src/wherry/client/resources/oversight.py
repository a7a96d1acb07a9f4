"""What happened: the audit log, and the events of an account."""

from wherry.client.calling import Caller
from wherry.client.transport import path_of
from wherry.contract import oversight


class OversightOperations(Caller):
    """What happened: the audit log, and the events of an account."""

    def list_audit_entries(self, **filters: object) -> oversight.AuditLog:
        """ListAuditEntries, the newest first; *filters* are the operation's query parameters."""
        return self._get("ListAuditEntries", path_of("wherry", "v1", "audit"), oversight.AuditLog, filters)

    def verify_audit_log(self) -> oversight.AuditVerification:
        """VerifyAuditLog: whether every entry fits the ones before it."""
        path = path_of("wherry", "v1", "audit", "verification")
        return self._get("VerifyAuditLog", path, oversight.AuditVerification)

    def list_account_events(self, **filters: object) -> oversight.Events:
        """ListAccountEvents, the newest first; *filters* are the operation's query parameters."""
        return self._get("ListAccountEvents", path_of("wherry", "v1", "events"), oversight.Events, filters)
