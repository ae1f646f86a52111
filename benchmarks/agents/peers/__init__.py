"""What others take for a message to an agent: five peers, each as its own users would write it.

A peer has a name, an environment of its own that is made once (`install`), and `run(messages, agents)`,
which starts the real thing, sends, measures and stops it. `python -m benchmarks.agents.peers` does that for
all of them; `compare` does it in turns with ours.

    catalogue   which peers there are, what each buys and lacks, what it is held against
    peer        one of them: install and run
    environments, stage, counting   its environment, its processes, and what these use
    programs/   what runs in the environments;  versions/   what is installed there
"""

from benchmarks.agents.peers.catalogue import PEERS
from benchmarks.agents.peers.comparison import compare
from benchmarks.agents.peers.environments import AbsentError
from benchmarks.agents.peers.peer import Form, Measured, Peer
from benchmarks.agents.peers.stage import PeerFailedError

__all__ = ["PEERS", "AbsentError", "Form", "Measured", "Peer", "PeerFailedError", "compare"]
