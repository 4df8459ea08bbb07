/* tests/e2e/black_box.test.mjs - a server that crashes says on which thread, and what happened last to its shards, but
 * nothing of what anybody said; and then the signal has the effect that it would have had.
 *
 * The signals come from here, to one thread or to the process: to the server that is the same as its own fault. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { APP, appArgs, Peer } from './channels.mjs';
import { dataDir, durableArgs } from './kept.mjs';
import { startServer } from './server.mjs';
import { connectMany, until, within } from './support.mjs';

const WORDS = 'what-nobody-is-to-read';

/* Its report would be about our signal, and fail the test. That of AddressSanitizer is looked at below. */
process.env.TSAN_OPTIONS = `${process.env.TSAN_OPTIONS ?? ''} handle_segv=0 handle_sigbus=0`;

/* Sends the signal to this thread of the server and to no other. */
function signalThread(server, name, signal) {
  const thread = fs.readdirSync(`/proc/${server.pid}/task`)
    .find((id) => fs.readFileSync(`/proc/${server.pid}/task/${id}/comm`, 'utf8').trim() === name);
  assert.ok(thread, `it has a thread ${name}`);
  const program = 'import ctypes, sys; sys.exit(ctypes.CDLL(None).tgkill(*map(int, sys.argv[1:])))';
  execFileSync('python3', ['-c', program, server.pid, thread, constants.signals[signal]]);
}

/* Clients, some of them on each shard, say what is not to be told. */
async function converse(server) {
  const [writer, reader] = await connectMany(server, 24, `/room/${WORDS}`);
  writer.send(`${WORDS} in a room`);
  assert.equal((await reader.inbox.next()).toString(), `${WORDS} in a room`);
  const peer = await Peer.open(server);
  await peer.subscribe(`private-${WORDS}`);
}

/* Crashes a server; what it wrote to stderr, and how it ended. */
async function crash(args, signal, send) {
  const server = await startServer(['--shards', '2', ...args]);
  try {
    await converse(server);
    send(server);
    const end = await within(server.ended, 'the server to end');
    const last = end.signal === null ? /Sanitizer[^]*ABORTING/ : /^shard 1: .*\n(  .*\n)+/m;
    await until(() => last.test(server.stderr()), 'its last words');
    return { end, stderr: server.stderr() };
  } finally {
    await server.kill();
  }
}

function assertTold(stderr, signal, thread) {
  const [, told] = stderr.split(/^(?=ringcast .* crashes: )/m);
  const first = `^ringcast \\S+ crashes: ${signal}, sent by process \\d+, at \\S+, on the thread "${thread}"\n`;
  assert.match(told, new RegExp(first));
  assert.equal(stderr.match(/ crashes: /g).length, 1);
  for (const shard of [0, 1]) {
    const events = `^shard ${shard}: \\d+ turns, \\d+ connections.*the oldest first:\n((  .*\n)+)`;
    const [, lines] = told.match(new RegExp(events, 'm'));
    assert.match(lines, /^  -?\d+ ms +turn begins, after a sleep of up to \d+ ms$/m);
  }
  assert.doesNotMatch(told, new RegExp(`${WORDS}|${APP.secret}|${APP.key}`));
  return told;
}

test('a shard that aborts tells what it did last, and of the others', async () => {
  const { end, stderr } = await crash(appArgs(), 'SIGABRT', (server) => signalThread(server, 'shard 1', 'SIGABRT'));
  assert.deepEqual(end, { code: null, signal: 'SIGABRT' }, stderr);
  const told = assertTold(stderr, 'SIGABRT', 'shard 1');
  assert.match(told, /^shard 1: .*, woke up \d+ us ago; it crashed after this[^]*^shard 0: .*; its last events/m);
  assert.match(told, /connection \d+\.\d+ enters OPEN\n/);
  assert.match(told, /takes (SUBSCRIBE|SUBSCRIBED|DELIVER|LEAVE) from shard \d\n/);
});

/* AddressSanitizer has the signal behind us, reports, and ends the program its own way. */
function assertKilled(end, signal, stderr) {
  if (end.signal === null) assert.match(stderr, /its last events[^]*AddressSanitizer: (SEGV|BUS)/);
  else assert.deepEqual(end, { code: null, signal }, stderr);
}

test('a crash of the process tells of all shards', async () => {
  const { end, stderr } = await crash(appArgs(), 'SIGSEGV', (server) => process.kill(server.pid, 'SIGSEGV'));
  assertTold(stderr, 'SIGSEGV', '\\S+');
  assertKilled(end, 'SIGSEGV', stderr);
});

test('a crash of the store tells of all shards', async () => {
  const args = [...appArgs(), ...durableArgs(dataDir())];
  const { end, stderr } = await crash(args, 'SIGBUS', (server) => signalThread(server, 'store', 'SIGBUS'));
  assertTold(stderr, 'SIGBUS', 'store');
  assertKilled(end, 'SIGBUS', stderr);
});
