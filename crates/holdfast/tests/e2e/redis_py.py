"""Works on a cluster with redis-py until its input ends, and tells on lines how that goes.

Says 'working' once two hundred rounds in a row went well, and 'back' when as many have since it was
sent a line; at the end one line with figures.
"""

import logging
import sys
import threading
import time

from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

STREAK = 200


def say(*words):
    print(*words, flush=True)


def pipelined(client, n):
    pipe = client.pipeline()
    for part in range(3):
        pipe.set("pipe:%d:%d" % (n, part), n)
        pipe.get("pipe:%d:%d" % (n, part))
    replies = pipe.execute()
    assert replies == [True, str(n).encode()] * 3, replies


def round_of(client, n):
    key = "py:%d" % (n % 100)
    assert client.set(key, n)
    value = client.get(key)
    assert value is not None, key
    assert client.incr("counter:%d" % (n % 100)) > 0
    if n % 10 == 0:
        pipelined(client, n)


def main():
    # It logs every redirection with a stack trace.
    logging.disable(logging.CRITICAL)
    over, told = threading.Event(), threading.Event()

    def listen():
        for _ in sys.stdin:
            told.set()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    client = RedisCluster(host="127.0.0.1", port=int(sys.argv[1]), socket_timeout=1)
    state, streak, good, bad, n = "new", 0, 0, 0, 0
    first = last = 0.0
    while not over.is_set():
        n += 1
        if told.is_set() and state == "working":
            state, streak = "told", 0
        try:
            round_of(client, n)
            good, streak = good + 1, streak + 1
        except (RedisError, RedisClusterException) as error:
            # Anything else than an error of the library is a failure of this script. The second is
            # what 4.3 makes of a node that refuses five connections: it cannot copy its settings.
            bad, streak = bad + 1, 0
            last = time.monotonic()
            first = first or last
            time.sleep(0.02)
        if streak == STREAK and state in ("new", "told"):
            state = {"new": "working", "told": "back"}[state]
            say(state)
    say("figures", good, bad, "%.3f" % (last - first))


main()
