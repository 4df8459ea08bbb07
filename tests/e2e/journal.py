# tests/e2e/journal.py PATH - the journal's end of a log: each datagram that comes to the socket PATH is a line of JSON
# on stdout, an object of its fields; first an empty one, once the socket is there.
import json
import os
import socket
import sys

path = sys.argv[1]
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.bind(path)
print('{}', flush=True)
try:
    while True:
        datagram = end.recv(1 << 16).decode('utf-8')
        fields = [line.split('=', 1) for line in datagram.removesuffix('\n').split('\n')]
        assert datagram.endswith('\n') and len(dict(fields)) == len(fields), datagram
        print(json.dumps(dict(fields)), flush=True)
except KeyboardInterrupt:
    os.unlink(path)
