/* tests/e2e/measure_resume.mjs - no test: how long it takes until a crowd that lost its connections has all it missed.
 *
 *   RINGCAST=$PWD/build/release/bin/ringcast node tests/e2e/measure_resume.mjs [CLIENTS [MISSED [durable]]]
 *
 * MISSED messages of 64 bytes are published while CLIENTS are away (1000, 500); then all of them subscribe at once.
 * What is told: the time from the first subscribe to the last frame of the last client, and the server's CPU time for
 * it. With one shard; the clients' own process is the slower of the two. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { APP, appArgs, call } from './channels.mjs';
import { startServer } from './server.mjs';

const [clients = 1000, missed = 500] = process.argv.slice(2).map(Number).filter(Number.isInteger);
const isDurable = process.argv.includes('durable');
const BATCH = 10;
const TICK_MS = 10;    /* of the times in /proc */

function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function open(url) {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once('message', resolve).once('error', reject));
  return socket;
}

/* Resolves once the success and everything missed has come; each frame once and in order. */
function resumed(socket, position) {
  return new Promise((resolve, reject) => {
    let next = position.offset + 1;
    socket.on('message', (data) => {
      const frame = JSON.parse(data);
      if (frame.event === 'pusher_internal:subscription_succeeded') {
        if (!JSON.parse(frame.data).recovered) reject(new Error('not recovered'));
      } else if (frame.offset !== next++) {
        reject(new Error(`${JSON.stringify(frame)} instead of ${next - 1}`));
      }
      if (next === position.offset + missed + 1) resolve();
    });
    socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'room', recover: position } }));
  });
}

const directory = mkdtempSync(join(tmpdir(), 'ringcast-'));
const args = ['--shards', '1', '--history', `* size=100000 durable=${isDurable ? 'yes' : 'no'}`];
if (isDurable) args.push('--data-dir', directory);
const server = await startServer([...appArgs('batch_max=10'), ...args]);
try {
  const event = { name: 'ev', channel: 'room', data: 'x'.repeat(64), info: 'position' };
  const { body } = await call(server, 'POST', '/events', { body: event });
  const position = body.channels.room;
  for (let sent = 0; sent < missed; sent += BATCH) {
    await call(server, 'POST', '/batch_events', { body: { batch: Array(BATCH).fill(event) } });
  }
  const url = `ws://127.0.0.1:${server.port}/app/${APP.key}?protocol=7`;
  const sockets = [];
  for (let i = 0; i < clients; i++) sockets.push(await open(url));
  const [cpu, began] = [cpuMs(server.pid), performance.now()];
  await Promise.all(sockets.map((socket) => resumed(socket, position)));
  const [took, used] = [performance.now() - began, cpuMs(server.pid) - cpu];
  console.log(`${clients} clients, ${missed} missed each${isDurable ? ', durable' : ''}: ${took.toFixed(0)} ms, `
    + `server CPU ${used} ms, ${((used * 1000) / clients).toFixed(0)} us a client`);
  for (const socket of sockets) socket.terminate();
} finally {
  await server.stop();
  rmSync(directory, { recursive: true });
}
