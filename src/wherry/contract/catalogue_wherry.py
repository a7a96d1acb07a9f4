"""Wherry's own codes, for what the protocol has none for.

WHERRY.55xx: Wherry's own API; WHERRY.56xx: actions and commands; WHERRY.57xx: environment checks.
"""

from wherry.contract.error_entry import ErrorEntry

ENTRIES = (
    ErrorEntry(
        "WHERRY.5501",
        404,
        "No receiver is connected",
        "No receiver has announced itself lately, or none is allowed to take this task.",
        "Start a receiver with `wherry receiver` and join it with a token; the agent asks again by itself.",
    ),
    ErrorEntry(
        "WHERRY.5502",
        409,
        "The two halves of the proof differ",
        "The digests that the source read and those that the receiver read from its medium aren't the same, so the "
        "copy is not equal at this checkpoint.",
        "Don't launch this copy. Let another pass run and prove again; if it differs again, check memory and disks of "
        "both machines.",
    ),
    ErrorEntry(
        "WHERRY.5503",
        404,
        "The proof is not complete yet",
        "One side hasn't delivered its half for this checkpoint.",
        "Wait a moment and ask again; look whether agent and receiver are connected.",
    ),
    ErrorEntry(
        "WHERRY.5504",
        401,
        "The join token is not valid",
        "The token is unknown, has expired, or was used before.",
        "Make a new one with `wherry join-token` or POST /wherry/v1/join-tokens.",
    ),
    ErrorEntry(
        "WHERRY.5505",
        404,
        "The receiver does not exist",
        "No receiver of this account has this id.",
        "List the receivers by GET /wherry/v1/receivers.",
    ),
    ErrorEntry(
        "WHERRY.5506",
        400,
        "The request's body couldn't be read",
        "The connection ended, or the announced length wasn't kept, before the whole body had come.",
        "Send the request again; look at proxies between client and control plane if it comes again.",
    ),
    ErrorEntry(
        "WHERRY.5507",
        409,
        "The half of the proof conflicts with one that is already stored",
        "The same side delivered another half for the same checkpoint before; a checkpoint never changes.",
        "Take a new checkpoint and deliver its half.",
    ),
    ErrorEntry(
        "WHERRY.5508",
        405,
        "The method is not allowed here",
        "The path exists, but not with this HTTP method.",
        "Look the operation up in the documentation.",
    ),
    ErrorEntry(
        "WHERRY.5509",
        503,
        "The control plane is shutting down",
        "It was told to stop and answers only what it had begun.",
        "Send the request again in a few seconds.",
    ),
    ErrorEntry(
        "WHERRY.5510",
        404,
        "There are no figures for this task yet",
        "The agent hasn't reported on the task's replication so far.",
        "Start the task and look whether its agent is connected.",
    ),
    ErrorEntry(
        "WHERRY.5511",
        409,
        "The source already has an agent with another key",
        "An agent's key is bound to the source that it registered first; this one is bound to another source or the "
        "source to another key.",
        "Delete the source's record and join the agent again with a new token.",
    ),
    ErrorEntry(
        "WHERRY.5520",
        404,
        "No error has this code",
        "The code is misspelled, or belongs to another version.",
        "List all codes by GET /errors.",
    ),
    ErrorEntry(
        "WHERRY.5521",
        404,
        "There is no log to fetch",
        "The agent wasn't asked for its log, hasn't handed it in, or its time is over, or it was closed.",
        "Ask with CollectLog and wait until log_collect_status is UPLOADED; the log can be fetched for 18 hours then.",
    ),
    ErrorEntry(
        "WHERRY.5522",
        409,
        "Nobody waits for a log",
        "The agent handed in a log although none was asked for, or it was answered for already.",
        "Ask for the log with CollectLog.",
    ),
    ErrorEntry(
        "WHERRY.5601",
        400,
        "The action doesn't fit the task's state",
        "The task isn't in a state in which this action makes sense.",
        "Read the task's state first; docs/states.md says which actions it allows.",
    ),
    ErrorEntry(
        "WHERRY.5602",
        400,
        "The action isn't available for this task",
        "The task wasn't created with what the action needs.",
        "Create the task with the switch or template that the action asks for.",
    ),
    ErrorEntry(
        "WHERRY.5603",
        400,
        "The agent reported a failure without a code of its own",
        "A command failed on the source; the result's detail holds what the agent said.",
        "Read the agent's log on the source, repair the cause, and start the task again.",
    ),
    ErrorEntry(
        "WHERRY.5701",
        400,
        "The registration doesn't say",
        "The client that registered the source left the fact out, so nobody can judge it.",
        "Nothing has to be done for a migration by block; a current agent sends every fact.",
    ),
    ErrorEntry(
        "WHERRY.5702",
        400,
        "The source uses raw devices",
        "A program writes to a device without a filesystem, and freezing the filesystems doesn't hold it back.",
        "Stop the program before the cutover, or let a hook do so; the device itself is copied whole.",
    ),
    ErrorEntry(
        "WHERRY.5703",
        400,
        "A disk's partition style is not known",
        "It's neither MBR nor GPT, so the disk's parts can't be told apart.",
        "Nothing has to be done for a migration by block, which copies such a disk whole.",
    ),
    ErrorEntry(
        "WHERRY.5704",
        400,
        "The source runs an OEM edition of its system",
        "Its licence is bound to the machine and may not be valid for the copy.",
        "Check the licence, and enter another key on the copy if it's needed.",
    ),
    ErrorEntry(
        "WHERRY.5705",
        400,
        "The agent's account lacks rights on the source",
        "It isn't a member of the administrators.",
        "Start the agent as an administrator.",
    ),
    ErrorEntry(
        "WHERRY.5706",
        400,
        "A filesystem of the source is nearly full",
        "Less than 1 % of it is free.",
        "Free some space, so that the source itself keeps working during the migration.",
    ),
)
