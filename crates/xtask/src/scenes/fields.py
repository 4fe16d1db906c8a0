"""Prints what redis-py makes of CLUSTER NODES at each port: a line for each node it found."""

import sys

from redis import Redis

for port in sys.argv[1:]:
    nodes = Redis(port=int(port), socket_timeout=5).cluster("NODES")
    for address, node in nodes.items():
        slots = ",".join("-".join(run) for run in node["slots"])
        moves = ",".join("%(slot)s:%(state)s:%(node_id)s" % move for move in node["migrations"])
        words = [port, address, node["node_id"], node["flags"], node["master_id"]]
        print(*words, node["connected"], slots or "-", moves or "-")
