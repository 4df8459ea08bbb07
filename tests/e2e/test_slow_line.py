# tests/e2e/test_slow_line.py - a client on a slow line, which reads all the time but little: pings lie behind what the
# kernel has for it, and it lives. A small receive buffer makes the line slow: what is not read is not acknowledged.
import os
import re
import socket
import subprocess
import time
import unittest

HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()
MESSAGES, MESSAGE_BYTES = 24, 50_000
PIECE = 16 * 1024  # that is read at once,
PAUSE_S = 0.1  # and the time between two: the whole takes some seconds, several times --pong-ms-max


def frame(opcode, payload):
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + head + b"\0\0\0\0" + payload


def connect(port, receive_buffer=None):
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(30)
    client.connect(("127.0.0.1", port))
    client.sendall(HANDSHAKE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(1)
    return client


class SlowLine(unittest.TestCase):
    def test_whoever_reads_slowly_gets_everything(self):
        command = [os.environ["RINGCAST"], "--listen", "127.0.0.1:0", "--shards", "1", "--ping-ms", "300ms",
                   "--pong-ms-max", "2s", "--outbox-bytes-max", "64MiB"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.kill)
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())[1])
        slow = connect(port, receive_buffer=16 * 1024)
        speaker = connect(port)
        for number in range(MESSAGES):
            speaker.sendall(frame(2, bytes([number]) * MESSAGE_BYTES))
        speaker.close()
        messages, read = [], b""
        while len(messages) < MESSAGES:
            piece = slow.recv(PIECE)
            self.assertTrue(piece, f"the server closed it after {len(messages)} messages")
            read += piece
            while len(read) >= 4:
                size, at = (read[1], 2) if read[1] < 126 else (int.from_bytes(read[2:4], "big"), 4)
                if len(read) < at + size:
                    break
                opcode, payload, read = read[0] & 15, read[at:at + size], read[at + size:]
                self.assertIn(opcode, (2, 9), payload)
                if opcode == 2:
                    messages.append(payload[0])
                else:
                    slow.sendall(frame(10, payload))
            time.sleep(PAUSE_S)
        self.assertEqual(messages, list(range(MESSAGES)))
        slow.sendall(frame(8, b"\x03\xe8"))
        server.terminate()
        _, stderr = server.communicate(timeout=30)
        self.assertEqual(server.returncode, 0, stderr)
        self.assertNotRegex(stderr, r"Sanitizer|runtime error:|Z error |Assertion")


if __name__ == "__main__":
    unittest.main()
