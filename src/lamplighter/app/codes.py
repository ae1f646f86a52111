"""What every code means, for `lamp help`: faults of specs, kinds of findings, and the errors of use."""

from lamplighter.controllers.kinds import KINDS
from lamplighter.spec import codes


def explained() -> dict[str, tuple[str, str]]:
    """Return for each code its title and a paragraph on what it means and what to do."""
    found = {name: (each.title, each.text) for name, each in codes().items()}
    found |= {name: _titled(kind.meaning) for name, kind in KINDS.items()}
    return found | {name: _titled(text) for name, text in ERRORS.items()}


def _titled(text: str) -> tuple[str, str]:
    head, _, _ = text.partition(". ")
    return head.rstrip("."), text


ERRORS = {
    "agent-definition": "The class is no proper agent. The message names the class, the place and the mend.",
    "agents-unloadable": "A module of agents cannot be imported, or has no such agent.",
    "folder-taken": "Another process took a folder of agents although this one held it: locks do not work"
    " there. Nothing of it was acknowledged here; use another file system.",
    "no-pool": "There is no pool of agents in the folder. Name the one that its hosts were given.",
    "partitions-unfit": "The number of partitions of agents is out of range, or another than the folder was"
    " made with.",
    "another-shard": "The agent asked for is in another shard of its pool than the one that was asked.",
    "shards-unfit": "The number of a pool's shards is out of range: 1 to 256.",
    "ask-cycle": "The agents would wait for each other for ever. The message shows the circle.",
    "ray-hosts-missing": "Hosts of a pool on a Ray cluster did not open all shards in time. See with"
    " `ray status` whether the cluster has room for them, and in the actors' logs what they say.",
    "ask-timeout": "An agent did not answer before the deadline. What was asked may or may not have"
    " happened.",
    "backup-of-another": "The folder holds a backup of another host of agents. Name an empty one, or this"
    " host's.",
    "before-backup": "The backup does not reach back to that moment. Restore to a later one, or from an"
    " earlier backup.",
    "call-failed": "A call that an agent made to the outside raised; the message names the exception.",
    "disk-failed": "The disk refused a host of agents, which has ended. What was acknowledged is there"
    " when it starts again.",
    "folder-unusable": "A host of agents can neither use nor make its folder. Name one that may be"
    " written to.",
    "format-too-new": "A later version wrote this folder of agents. Use that version, or a later one.",
    "handler-failed": "An agent's handler raised, as often as its kind allows. Its message is a dead letter.",
    "journal-damaged": "What a host of agents has on disk was altered or is missing. Restore it from a"
    " backup.",
    "not-running": "The runtime of the agents is not entered, or has ended. Use it in `async with`.",
    "overloaded": "A mailbox or a host of agents is full, and nothing was accepted. Try again in a moment.",
    "agents-unreached": "No host has the agent's shard now: it moves, or its host has ended and the next one"
    " has not begun. Try again in a second; with an `Idempotency-Key` nothing happens twice.",
    "answer-not-json": "What a handler returned cannot be put into JSON. Its turn took place.",
    "broker-unfit": "A broker's stream is not as it must be to be taken exactly once. The message says what"
    " is wrong with it.",
    "bad-request": "A header, an agent's id or the form of a batch is not what it should be.",
    "body-too-large": "A request's body is larger than the ingress of the agents takes.",
    "no-server": "The environment has no uvicorn, which serves agents over HTTP.",
    "no-such-path": "Agents are reached by POST /agents/KIND/ID, or /agents/KIND for a batch.",
    "not-post": "Agents take POST only.",
    "unknown-agent": "There is no such agent: it has had no turn, or was forgotten.",
    "which-pool": "The system has several pools of agents. Name one with --pool.",
    "record-too-large": "A message or a state is larger than a host's journal takes.",
    "replay-mismatch": "An agent's code asks for something else than its journal holds. The message is a"
    " dead letter; replay it once it may run from the start.",
    "restore-unfit": "There is no backup in the folder, or the folder to restore to is not empty.",
    "state-too-large": "An agent's state is larger than `Config.state_bytes_max`; its turn was undone.",
    "state-unreadable": "A stored state fits neither the class nor what its `upgrade` makes of it.",
    "turn-failed": "An agent's turn ended without its effects: nothing was changed and nothing was sent.",
    "turn-stuck": "An agent's handler did not give way, and was interrupted. Its message is a dead letter.",
    "unknown-agent-kind": "No agent class of this kind is registered. The message lists those that are.",
    "unknown-message": "The agent has no handler for this message, or its bytes do not decode.",
    "bad-option": "An option of the command has a value that it cannot have. The message says which it"
    " may have.",
    "nothing-to-simulate": "The spec has no service, and only services are simulated.",
    "anchor-unwritable": "The head of the ledger could not be copied outside of it. The ledger goes on;"
    " free some disk space, since without anchors a cut tail does not show.",
    "bad-plan": "The file is not a plan of `lamp plan --out`, or was cut short. Make a new one.",
    "disk-full": "The disk is full. Traffic goes on and the loop holds everything destructive until there"
    " is room again.",
    "disk-error": "The disk answers with errors, or a quota or a limit on the size of files is reached."
    " Traffic goes on and the loop holds everything destructive until it can write again.",
    "environment-not-built": "uv could not build the Python environment of a release. What it said is"
    " shown; nothing was changed. Mend the lock file and run the command again.",
    "export-exists": "The file to export to is there already, and nothing is overwritten.",
    "facts-changed": "The facts that a plan or an approval was made from have changed. Look again with"
    " `lamp plan`, then decide again.",
    "fenced": "A newer maintainer acts on this system, and this one has stopped acting.",
    "held": "Nothing can be recorded, so nothing destructive is done. Free some disk space.",
    "intents-full": "Too many requests wait for the loop. Try again in a second.",
    "already-there": "The workload is on that release already, or on its way there.",
    "no-earlier-release": "The workload has had no other release to go back to.",
    "nothing-up": "Nothing of this system is up, so there is nothing to take down.",
    "other-system": "The maintainer keeps another system than the one asked for.",
    "recording-size": "LAMP_RECORDING_SIZE says how much of the recording is kept, and holds no size, or"
    " less than 64Ki. Write it as 256Mi, or leave it unset.",
    "release-missing": "A service was to be brought up without a release, and none is in force.",
    "stopping": "Everything was ordered down, or is being dismantled. Ask again once it is down.",
    "lapsed": "The action no longer stands as it was asked about: its facts have changed. If it is still"
    " wanted it is asked about again, under a new id.",
    "left-behind": "Processes of this system run although its state folder was deleted. `lamp down` ends"
    " them; then `lamp up` starts anew.",
    "lease-lost": "Another maintainer has taken over this system, and this one has stopped.",
    "maintainer-ended": "The maintainer ended by itself, and this is a fault of Lamplighter. Its log is"
    " in the state folder, under logs.",
    "maintainer-newer": "A maintainer of a newer version runs this system, and an older one does not push"
    " it aside. Use the newer version, or upgrade this one.",
    "maintainer-not-started": "The maintainer's process could not be started: no process, descriptor or"
    " memory was to be had. The message has the kernel's word for it.",
    "maintainer-silent": "A maintainer holds this system and does not answer: it was stopped, or it"
    " hangs. Traffic goes on and nothing is repaired. The message names its pid: let it go on, or end it.",
    "needs-confirmation": "There are changes and nobody at a terminal to confirm them. Add -y once you"
    " have looked at `lamp plan`.",
    "no-answer": "The maintainer accepted the connection and gave no answer in time. `lamp status` works"
    " without it.",
    "no-folder": "A folder that the spec names does not exist. Folders are relative to the spec's own.",
    "no-free-port": "No port is free for a replica on 127.0.0.1. Something on this machine holds very many.",
    "no-lock-file": "The file named by python.requirements is not among the release's files. Files that"
    " git ignores, or .lampignore names, are not part of a release.",
    "no-maintainer": "No maintainer runs for this system, so nothing is repaired. `lamp up` starts one;"
    " what runs is adopted as it is.",
    "no-policy": "The policy file cannot be read.",
    "no-spec": "There is no spec here. `lamp init` writes a first one from what it finds.",
    "not-exported": "Without what is private (environment values, commands, paths, names of persons) a"
    " pass would have been decided otherwise, so an excerpt would tell an untruth. Choose other passes.",
    "not-on-this-target": "The target cannot run this part of the spec yet. The rest is run.",
    "not-readable": "A file or folder cannot be read by this user.",
    "spec-exists": "There is a lamp.yaml already. `lamp init --force` overwrites it.",
    "not-settled": "The wait was over before all was as wanted. The maintainer goes on with it.",
    "not-writable": "The file cannot be written.",
    "not-yet": "The loop has not taken the request yet; it may be busy. Asking again is safe.",
    "nothing-recorded": "Nothing has been recorded for this system yet.",
    "nothing-to-plan": "Nothing is running and nothing was asked for.",
    "owned": "Another maintainer holds this system; the message names it and its age. One acts at a time:"
    " use that one, or end it first.",
    "pass-failed": "A pass of the loop failed, and this is a fault of Lamplighter. The loop goes on; the"
    " log has the trace.",
    "platform": "The local target needs Linux 5.3 or later (pidfd).",
    "port-taken": "Another program has the gateway's port. The message names it where that may be known,"
    " and the mend suggests a free one.",
    "recording-damaged": "A part of the recording cannot be read. Passes before it can still be replayed.",
    "release-not-kept": "The release could not be copied into the state folder. Free some disk space.",
    "rollout-failed": "A new release was given up, or does not stay up; one that was stable before goes"
    " on. `lamp logs` shows what the new one wrote; `lamp explain` shows the evidence.",
    "secret-missing": "A secret's value is not where the spec says. Set it and run the command again.",
    "source-changed": "The files or the configuration have changed since the plan was made. Make a new one.",
    "spec-changed": "The spec has changed since the plan was made. Make a new plan.",
    "spec-invalid": "The spec has faults; each is shown with its place and a mend.",
    "state-not-writable": "The state folder cannot be written. LAMP_STATE_DIR names another.",
    "store-busy": "Another process holds the store for longer than it should. Try again.",
    "store-damaged": "A store cannot be read as what it should be. Nothing was changed.",
    "store-newer": "A newer version of Lamplighter wrote this store. Use that version.",
    "store-unreadable": "A store cannot be opened.",
    "supervisor-not-started": "The supervisor did not start. Its log stands in the state folder, under logs.",
    "taken-down": "Somebody has taken the system down while this command waited for it. Nothing of it runs.",
    "target-not-yet": "This kind of site is not built yet. The spec stays as it is; choose a local site.",
    "tree-changing": "Files keep changing while they are copied into a release.",
    "tree-too-large": "The files of a release add up to more than a release should hold. Data and weights"
    " do not belong in it.",
    "unknown-action": "No action has this id. `lamp status` and `lamp ledger` show the ids.",
    "unknown-code": "There is no such code. `lamp help` lists all.",
    "unknown-release": "No release has this id here.",
    "unknown-site": "The spec has no such site.",
    "unknown-system": "Nothing is known of this system on this machine, for this user.",
    "unknown-workload": "No service, agent pool or job has this name.",
    "unreachable": "No answer in time. What was asked may or may not have happened; asking again is safe.",
    "uv-failed": "uv could not be run.",
    "which-system": "It is not clear which system is meant: there is no spec here.",
}
