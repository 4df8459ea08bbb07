/* tests/e2e/restart.test.mjs - servers that follow each other on one port while backends go on asking: no request ends
 * in a reset or without an answer. To be refused, because nobody listens just then, is an answer too. */

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { request } from './raw.mjs';
import { freePort, startServer } from './server.mjs';
import { assertQuiet, sleep, until, within } from './support.mjs';

const RESTARTS = process.env.RINGCAST_LONG === '1' ? 40 : 4;
const CLIENTS = 12;
const ASK = { stay: request('GET /up HTTP/1.1'), leave: request('GET /up HTTP/1.1', { Connection: 'close' }) };

/* Asks `most` times over one connection, the next time when it was answered, until it is told that it was the last.
 * Resolves to what went wrong, or undefined; counts in `seen`. */
function askOver(port, most, seen) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    let received = '';
    let asked = 0;
    const ask = () => {
      asked += 1;
      received = '';
      socket.write(asked === most ? ASK.leave : ASK.stay);
    };
    const end = (fault) => {
      resolve(fault);
      socket.destroy();
    };
    socket.setEncoding('latin1');
    socket.on('connect', ask);
    socket.on('error', ({ code }) => {
      if (code === 'ECONNREFUSED') seen.refused += 1;
      end(code === 'ECONNREFUSED' ? undefined : `${code} after ${asked} requests and ${received.length} bytes`);
    });
    socket.on('end', () => end(`an end instead of answer ${asked}`));
    socket.on('data', (text) => {
      received += text;
      const length = /\r\nContent-Length: (\d+)\r\n/.exec(received);
      const body = received.split('\r\n\r\n')[1];
      if (length === null || body === undefined || body.length < Number(length[1])) return;
      seen.answered += 1;
      if (/\r\nConnection: close\r\n/.test(received)) end();
      else ask();
    });
  });
}

test('over restarts, every request that finds a server gets an answer', { timeout: 300_000 }, async () => {
  const port = await freePort();
  const seen = { answered: 0, refused: 0 };
  const faults = [];
  let isOver = false;
  const client = async (most) => {
    while (!isOver) {
      const before = seen.refused;
      const fault = await askOver(port, most, seen);
      if (fault) faults.push(fault);
      if (seen.refused > before) await sleep(2);
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i % 2 === 0 ? 1 : 50));
  for (let i = 0; i < RESTARTS; i++) {
    const server = await startServer(['--shards', '2'], { port });
    const before = seen.answered;
    await until(() => seen.answered > before + 300, 'requests to be answered');
    assert.deepEqual(await within(server.stop(), 'the server to stop'), { code: 0, signal: null }, server.stderr());
    assertQuiet(server.stderr());
  }
  isOver = true;
  await within(Promise.all(clients), 'the clients');
  assert.deepEqual(faults, [], `${seen.answered} requests were answered`);
});
