#!/usr/bin/env python3
"""A relay in front of the API server that breaks connections at random bytes.

usage: cutter.py HOST:PORT CUTS SEED STATE

Listens on a free loopback port and writes it to STATE/port. While STATE/go exists, each connection
gets a budget of bytes in either direction and is reset when one is used up, until CUTS were made
(counted in STATE/cuts); before and after that it only relays."""
import asyncio
import os
import random
import socket
import struct
import sys

host, port = sys.argv[1].rsplit(":", 1)
cuts_left, seed, state = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
draw = random.Random(seed)
made = 0


def note(name, text):
    path = os.path.join(state, name)
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(str(text))
    os.rename(path + ".new", path)


def reset(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def relay(reader, writer):
    global cuts_left, made
    try:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
    except OSError:
        reset(writer)
        return
    # Small and large budgets: in a handshake, in an answer's head, deep in a log.
    top = draw.choice([300, 3000, 30000, 300000, 3000000])
    budget = {"up": draw.randint(1, top), "down": draw.randint(1, top)}
    cut = asyncio.Event()

    async def pump(source, sink, way):
        global cuts_left, made
        while True:
            data = await source.read(65536)
            if not data:
                break
            if cuts_left > 0 and os.path.exists(os.path.join(state, "go")):
                if len(data) >= budget[way]:
                    sink.write(data[: budget[way]])
                    cuts_left -= 1
                    made += 1
                    note("cuts", made)
                    cut.set()
                    return
                budget[way] -= len(data)
            sink.write(data)
            await sink.drain()
        sink.close()

    pumps = [asyncio.ensure_future(pump(reader, far_writer, "up")),
             asyncio.ensure_future(pump(far_reader, writer, "down"))]
    waiter = asyncio.ensure_future(cut.wait())
    both = asyncio.gather(*pumps, return_exceptions=True)
    await asyncio.wait([both, waiter], return_when=asyncio.FIRST_COMPLETED)
    if cut.is_set():
        await asyncio.sleep(0.005)  # what was written before the cut leaves first
    waiter.cancel()
    for p in pumps:
        p.cancel()
    for w in (writer, far_writer):
        reset(w)


async def main():
    note("cuts", 0)
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    note("port", server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


asyncio.run(main())
