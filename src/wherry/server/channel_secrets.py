"""ShowCertKey and ShowPassphrase: what an agent needs to open a task's data channel."""

from wherry.contract.channel_secrets import CertKey, CertKeyQuery, Passphrase
from wherry.server.access import task_of
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call
from wherry.server.certificates import channel_secrets


async def show_cert_key(call: Call) -> Answer:
    """Return the certificates of a task's data channel. The CA's is left out where the caller says so only."""
    query = call.query(CertKeyQuery)
    task = await call.services.ledger.read(lambda connection: task_of(connection, call, call.parameters["task_id"]))
    secrets = await channel_secrets(call.services, task)
    answer = CertKey(
        cert=secrets.source_certificate,
        private_key=secrets.source_key,
        ca=None if query.enable_ca_cert is False else call.services.authority.certificate_pem,
        target_mgmt_cert=secrets.target_certificate,
        target_mgmt_private_key=secrets.target_key,
        target_data_cert=secrets.target_certificate,
        target_data_private_key=secrets.target_key,
    )
    return json_answer(answer)


async def show_passphrase(call: Call) -> Answer:
    """Return the passphrase of the private keys."""
    task = await call.services.ledger.read(lambda connection: task_of(connection, call, call.parameters["task_id"]))
    secrets = await channel_secrets(call.services, task)
    return json_answer(Passphrase(task_id=task.id, passphrase=secrets.passphrase))
