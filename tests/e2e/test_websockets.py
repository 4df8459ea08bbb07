# tests/e2e/test_websockets.py - the server as Python's websockets sees it: Debian's python3-websockets, which judges
# the protocol by itself and knows nothing of ours. The server is $RINGCAST; each test starts its own.
import asyncio
import os
import re
import subprocess
import unittest

import websockets

WAIT_S = 30  # for anything to happen, generous because sanitizers and a busy machine are slow


class Server:
    """A server on a port of the kernel's choice; in the end it must exit with 0 and without a sanitizer's report."""

    def __init__(self, *options):
        command = [os.environ["RINGCAST"], "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        port = re.search(r"http://127\.0\.0\.1:(\d+)", ready)
        if port is None:
            raise RuntimeError("the server did not start: " + self.process.communicate(timeout=WAIT_S)[1])
        self.is_stopping = False
        self.url = f"ws://127.0.0.1:{port[1]}"

    def stop(self):
        """Once: a second signal ends it at once, with another exit status."""
        if not self.is_stopping:
            self.process.terminate()
        self.is_stopping = True

    def check_end(self, test):
        _, stderr = self.process.communicate(timeout=WAIT_S)
        test.assertEqual(self.process.returncode, 0, stderr)
        test.assertNotRegex(stderr, r"Sanitizer|runtime error:|Z error |Assertion")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class WebsocketsTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # it reports slow callbacks, of which there are some
        self.clients = []
        self.start("--shards", "2")

    def start(self, *options):
        self.server = Server(*options)
        self.addCleanup(self.server.kill)

    async def restart(self, *options):
        self.server.stop()
        await asyncio.to_thread(self.server.check_end, self)
        self.start(*options)

    async def asyncTearDown(self):
        await asyncio.gather(*(client.close() for client in self.clients))
        self.server.stop()
        await asyncio.to_thread(self.server.check_end, self)

    async def connect(self, path="/", **options):
        client = await asyncio.wait_for(websockets.connect(self.server.url + path, **options), WAIT_S)
        self.clients.append(client)
        return client

    async def receive(self, client):
        return await asyncio.wait_for(client.recv(), WAIT_S)

    async def test_text_and_binary_arrive_as_they_were_sent(self):
        anna, ben = await self.connect(), await self.connect()
        for message in ["hello", "", "añ🎉", "x" * 65536, b"\x00\xff", b"", os.urandom(65536)]:
            await anna.send(message)
            self.assertEqual(await self.receive(ben), message)

    async def test_rooms_are_separate(self):
        anna, ben = await self.connect("/room/tea"), await self.connect("/room/tea")
        cleo, dora = await self.connect("/room/t%65as"), await self.connect("/room/teas")
        await anna.send("tea")
        await cleo.send("teas")
        self.assertEqual(await self.receive(ben), "tea")
        self.assertEqual(await self.receive(dora), "teas")

    async def test_fragments_become_one_message(self):
        anna, ben = await self.connect(), await self.connect()
        await anna.send(["one ", "", "two ", "añ🎉"])
        self.assertEqual(await self.receive(ben), "one two añ🎉")
        pieces = [os.urandom(n % 7) for n in range(5000)]
        await anna.send(pieces)
        self.assertEqual(await self.receive(ben), b"".join(pieces))

    async def test_pings_are_answered_with_their_payload(self):
        client = await self.connect()
        for payload in [b"", b"x", b"y" * 125]:
            await asyncio.wait_for(await client.ping(payload), WAIT_S)
        waiters = [await client.ping(f"{i}") for i in range(10)]
        await asyncio.wait_for(asyncio.gather(*waiters), WAIT_S)
        await client.pong(b"unasked")
        await asyncio.wait_for(await client.ping(), WAIT_S)

    async def test_the_servers_pings_are_answered(self):
        await self.restart("--ping-ms", "200ms", "--pong-ms-max", "2s")
        anna, ben = await self.connect(ping_interval=None), await self.connect(ping_interval=None)
        await asyncio.sleep(3)
        await anna.send("still here")
        self.assertEqual(await self.receive(ben), "still here")

    async def test_close_codes_and_reasons_come_back(self):
        for code, reason in [(1000, ""), (1000, "bye"), (1001, "x" * 123), (1011, "añ🎉"), (3000, ""), (4999, "end")]:
            client = await self.connect()
            await asyncio.wait_for(client.close(code, reason), WAIT_S)
            self.assertEqual((client.close_code, client.close_reason), (code, ""), "the code, in an answer of ours")

    async def test_the_servers_closes_say_why(self):
        client = await self.connect()
        await client.send("x" * 65537)
        with self.assertRaises(websockets.ConnectionClosed):
            await self.receive(client)
        self.assertEqual((client.close_code, client.close_reason), (1009, "message too big"))

    async def test_a_stop_closes_all_with_1001(self):
        clients = [await self.connect() for _ in range(10)]
        self.server.stop()
        for client in clients:
            await asyncio.wait_for(client.wait_closed(), WAIT_S)
            self.assertEqual(client.close_code, 1001)
            self.assertRegex(client.close_reason, r"^server is going away, retry_after_ms=\d+$")

    async def test_extensions_and_subprotocols_are_declined(self):
        client = await self.connect(compression="deflate", subprotocols=["chat"])
        protocol = getattr(client, "protocol", client)  # from version 14 on it is an object of its own
        self.assertEqual((protocol.extensions, client.subprotocol), ([], None))

    async def test_refusals_carry_their_status(self):
        for path, status in [("/room/private-x", 403), ("/room/a%2Fb", 400), ("/nowhere", 404)]:
            with self.assertRaises(websockets.InvalidHandshake) as refusal:
                await self.connect(path)
            answer = getattr(refusal.exception, "response", refusal.exception)  # from version 14 on
            self.assertEqual(answer.status_code, status)

    async def test_many_clients_at_once_hear_everybody_in_one_order(self):
        await self.restart("--shards", "4", "--lobby-echo")
        clients = await asyncio.gather(*(self.connect() for _ in range(40)))

        async def talk(index, client):
            for i in range(10):
                await client.send(f"{index}:{i}")

        async def listen(client):
            return [await self.receive(client) for _ in range(400)]

        results = await asyncio.gather(
            *(listen(client) for client in clients), *(talk(*pair) for pair in enumerate(clients)))
        heard = results[:40]
        self.assertEqual(len(set(heard[0])), 400)
        for other in heard[1:]:
            self.assertEqual(other, heard[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
