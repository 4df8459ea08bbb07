/* tests/e2e/stuck.test.mjs - a stdout or a stderr that nobody reads holds up nothing: not the start, not a shard, not
 * the end. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { close, RawClient } from './raw.mjs';
import { freePort, startServer } from './server.mjs';
import { assertQuiet, until, within } from './support.mjs';

const { RINGCAST, LOAD } = process.env;

/* The writing end of a pipe that is full, for a child; it blocks, as pipes do. */
function fullPipe(folder, name) {
  const file = path.join(folder, name);
  execFileSync('mkfifo', [file]);
  const filler = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  assert.throws(() => { for (;;) fs.writeSync(filler, 'x'.repeat(4096)); }, { code: 'EAGAIN' });
  return fs.openSync(file, 'r+');
}

/* Runs the server with these of its streams stuck, talks to it, and ends it. Returns what the other stream has. */
async function runStuck(...stuck) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringcast-'));
  const port = await freePort();
  const streams = ['stdout', 'stderr'].map((name) => (stuck.includes(name) ? fullPipe(folder, name) : 'pipe'));
  const args = ['--listen', `127.0.0.1:${port}`, '--shards', '2', '--log-level', 'debug'];
  const child = spawn(RINGCAST, args, { stdio: ['ignore', ...streams] });
  const ended = once(child, 'exit');
  let written = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => { written += text; });
  const listens = () => RawClient.connect({ port }).then((client) => client.destroy() ?? true, () => false);
  try {
    await until(listens, 'the server');
    for (let i = 0; i < 150; i++) { /* more than a shard's queue of lines holds */
      const client = await RawClient.open({ port });
      client.write(close(1000));
      await client.ended();
    }
    child.kill('SIGTERM');
    assert.deepEqual(await within(ended, 'the server to end'), [0, null], written);
    assertQuiet(written);
    return written;
  } finally {
    child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true });
  }
}

test('a stuck stdout only costs the ready line, and that is told', async () => {
  assert.match(await runStuck('stdout'), /warn .*ready, but the line that says so could not be written to stdout/);
});

test('a stuck stderr costs log lines', async () => {
  assert.match(await runStuck('stderr'), /^ringcast .* listening on /);
});

test('with both stuck the server serves, and ends when it is told to', async () => {
  assert.equal(await runStuck('stdout', 'stderr'), '');
});

test('a question whose answer nobody reads can be ended', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringcast-'));
  const child = spawn(RINGCAST, ['--help'], { stdio: ['ignore', fullPipe(folder, 'stdout'), 'inherit'] });
  const ended = once(child, 'exit');
  try {
    const system = () => fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ')[2];
    await until(() => system() === 'S', 'the answer to wait');
    child.kill('SIGTERM');
    assert.deepEqual(await within(ended, 'the program to end'), [null, 'SIGTERM']);
  } finally {
    child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true });
  }
});

test('an answer or a result that cannot be written is a failure', async () => {
  const server = await startServer();
  const load = ['--url', `ws://127.0.0.1:${server.port}/`, '--connections', '2', '--seconds', '1', '--json'];
  try {
    for (const [program, ...args] of [
      [RINGCAST, '--help'], [RINGCAST, '--version'], [LOAD, '--help'], [LOAD, ...load],
    ]) {
      const full = fs.openSync('/dev/full', 'w');
      const child = spawn(program, args, { stdio: ['ignore', full, 'pipe'] });
      fs.closeSync(full);
      let stderr = '';
      child.stderr.on('data', (text) => { stderr += text; });
      assert.deepEqual(await within(once(child, 'close'), 'the program'), [1, null], `${program} ${args}`);
      assert.match(stderr, /could not be written to stdout/);
    }
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    await server.kill();
  }
});
