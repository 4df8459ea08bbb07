/* tests/e2e/measure_herd.mjs - a herd over TLS: N clients that all come back within two seconds, one shard.
 *
 *     RINGCAST=$PWD/build/release/bin/ringcast node tests/e2e/measure_herd.mjs rsa 300 1500 5000
 *     RINGCAST=$PWD/build/release/bin/ringcast node tests/e2e/measure_herd.mjs ecdsa resumed 5000
 *
 * Each sends its upgrade behind its handshake and waits up to a minute; meanwhile two other connections measure
 * their round trip over plain ws, from a process of their own. Says when the last one was in, as a multiple of N
 * handshakes' CPU time; how many handshakes were computed for nobody; the others' round trip; and the server's
 * memory before, at most, and a minute after. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import tls from 'node:tls';
import { counters, sleep } from './support.mjs';
import { freePort, startServer } from './server.mjs';
import { herd, pairArgs, pairOf } from './tls.mjs';

const words = process.argv.slice(2).filter((word) => !/^\d+$/.test(word)), counts = process.argv.slice(2).map(Number);
const PAIR = words.includes('ecdsa') ? pairOf('ecdsa') : pairOf('rsa', { kind: 'rsa' });
const AFTER_MS = 60_000;
const TICKS_PER_SECOND = 100;

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/* Two connections over plain ws, one message at a time; resolves to what it says of its latencies. */
function othersLatency(server, seconds) {
  const load = join(dirname(process.env.RINGCAST), 'ringcast-load');
  const child = spawn(load, ['--url', `ws://127.0.0.1:${server.port}/room/others`, '--connections', '2',
    '--publishers', '1', '--rate', '200', '--seconds', String(seconds), '--json']);
  let output = '';
  child.stdout.on('data', (text) => { output += text; });
  child.stderr.pipe(process.stderr);
  return new Promise((resolve) => { child.once('close', () => resolve(output)); });
}

async function start(port) {
  return startServer(['--shards', '1', '--tls-listen', `127.0.0.1:${port}`, ...pairArgs(PAIR)]);
}

/* MiB: of /proc/PID/status. */
function memoryOf(pid, name) {
  return Math.round(readFileSync(`/proc/${pid}/status`, 'latin1').match(new RegExp(`${name}:\\s+(\\d+)`))[1] / 1024);
}

/* A ticket of this server's, if that is wanted. */
async function sessionOf(port) {
  if (!words.includes('resumed')) return undefined;
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const [session] = await once(socket, 'session');
  socket.destroy();
  return session;
}

/* What one handshake takes of the server's CPU: of so many, one after the other. */
async function costOfOne(count = 200) {
  const port = await freePort(), server = await start(port);
  const before = cpuSeconds(server.pid), session = await sessionOf(port);
  for (let i = 0; i < count; i += 1) await herd({ port }, 1, { spreadMs: 0, patienceMs: 10_000, session });
  const seconds = (cpuSeconds(server.pid) - before) / count;
  await server.stop();
  return seconds;
}

async function measure(count, cost) {
  const port = await freePort(), server = await start(port);
  const expected = count * cost, session = await sessionOf(port), resident = memoryOf(server.pid, 'VmRSS');
  const latency = othersLatency(server, Math.max(3, Math.ceil(expected)));
  await sleep(500);
  const before = cpuSeconds(server.pid), begun = Date.now();
  const { open, lost } = await herd({ port }, count, { spreadMs: 2000, patienceMs: 60_000, session });
  const seconds = (Date.now() - begun) / 1000, cpu = cpuSeconds(server.pid) - before;
  const now = await counters(server);
  console.log(`${count} clients: ${open} in, ${lost} lost, after ${seconds.toFixed(2)} s = `
    + `${(seconds / expected).toFixed(2)} x ${count} x ${(cost * 1000).toFixed(2)} ms `
    + `(server CPU ${cpu.toFixed(2)} s, ${(cpu / expected).toFixed(2)} x); `
    + `${now.tls_begun ?? '?'} handshakes begun, ${now.tls_handshakes} done; `
    + `turns over 5 ms: ${now.turns_over_5ms}, over 20 ms: ${now.turns_over_20ms}`);
  console.log((await latency).trim());
  await sleep(AFTER_MS);
  console.log(`MiB before ${resident}, at most ${memoryOf(server.pid, 'VmHWM')}, a minute after `
    + `${memoryOf(server.pid, 'VmRSS')}; resumed ${now.tls_resumed ?? 0}`);
  await server.stop();
}

const cost = await costOfOne();
for (const count of counts.filter((count) => count > 0)) await measure(count, cost);
