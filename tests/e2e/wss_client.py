# tests/e2e/wss_client.py - Python's ssl and Debian's python3-websockets as a client: wss_client.py URL CA VERSION
#
# Says messages of many sizes in a lobby that sends them back, and waits for each; then asks twice over https, the
# second time with the session of the first. Exit status 0: all came back as it was; the last line says whether it was
# resumed.
import asyncio
import http.client
import socket
import ssl
import sys
from urllib.parse import urlsplit

import websockets

SIZES = [0, 1, 125, 126, 16_383, 16_384, 16_385, 60_000]
ROUNDS = 40
WAIT_SECONDS = 60


def trusting(file, version):
    context = ssl.create_default_context(cafile=file)
    context.minimum_version = context.maximum_version = version
    return context


async def talk(url, context):
    async with websockets.connect(url, ssl=context) as client:
        for number in range(ROUNDS):
            message = bytes((i * 31 + number) % 256 for i in range(SIZES[number % len(SIZES)]))
            await client.send(message)
            heard = await asyncio.wait_for(client.recv(), WAIT_SECONDS)
            assert heard == message, number


def ask(url, context, session=None):
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=WAIT_SECONDS)
    connection.sock = context.wrap_socket(
        socket.create_connection((parts.hostname, parts.port), WAIT_SECONDS),
        server_hostname=parts.hostname, session=session)
    connection.request("GET", "/up")
    assert connection.getresponse().read() is not None
    session, is_resumed = connection.sock.session, connection.sock.session_reused
    connection.close()
    return session, is_resumed


def main():
    url, ca, version = sys.argv[1:]
    context = trusting(ca, getattr(ssl.TLSVersion, version))
    asyncio.run(talk(url, context))
    session, _ = ask(url, context)
    print("resumed:", ask(url, context, session)[1])


main()
