/* tests/e2e/unit_file.test.mjs - the unit files in deploy/systemd: systemd takes them as they are, and the server can
 * do all that it does with the system calls that they leave it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync }
  from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { appArgs, call, Peer, webhookReceiver } from './channels.mjs';
import { startManaged } from './manager.mjs';
import { freePort } from './server.mjs';
import { assertQuiet, connect, leave, within } from './support.mjs';
import { ca, ECDSA, pairArgs } from './tls.mjs';

const UNITS = fileURLToPath(new URL('../../deploy/systemd/', import.meta.url));
const TEST_MS = 120_000;

const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

function analyze(...args) {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  return { status, output: stdout + stderr, stdout };
}

/* A tree in which there is nothing but what the units name, and systemd's own. */
function makeRoot() {
  const root = path.join(folder, 'root');
  for (const where of ['usr/bin', 'bin', 'etc/systemd/system', 'lib/systemd']) {
    mkdirSync(path.join(root, where), { recursive: true });
  }
  for (const program of ['usr/bin/ringcast', 'bin/kill']) {
    writeFileSync(path.join(root, program), '');
    chmodSync(path.join(root, program), 0o755);
  }
  cpSync('/lib/systemd/system', path.join(root, 'lib/systemd/system'), { recursive: true, verbatimSymlinks: true });
  for (const unit of readdirSync(UNITS)) {
    copyFileSync(path.join(UNITS, unit), path.join(root, 'etc/systemd/system', unit));
  }
  return root;
}

test('systemd has nothing to say of the units', { timeout: TEST_MS }, () => {
  const units = readdirSync(UNITS).sort();
  assert.deepEqual(units, ['ringcast.service', 'ringcast.socket']);
  const verify = (root) => analyze(`--root=${root}`, '--man=no', 'verify', ...units);
  const root = makeRoot();
  assert.deepEqual(verify(root), { status: 0, output: '', stdout: '' });
  writeFileSync(path.join(root, 'etc/systemd/system/ringcast.service'), '[Service]\nTyp=notify\nExecStart=/bin/kill\n');
  assert.match(verify(root).output, /Unknown key( name)? 'Typ'/, 'it does look');
});

test('little is exposed', { timeout: TEST_MS }, () => {
  const { output } = analyze('security', '--offline=yes', path.join(UNITS, 'ringcast.service'));
  const [, exposure] = /Overall exposure level for ringcast.service: ([\d.]+)/.exec(output) ?? assert.fail(output);
  assert.ok(Number(exposure) <= 1.6, output);
});

/* --- system calls ------------------------------------------------------------------------------------------------- */

/* The names that one stands for. */
function callsOf(name) {
  if (!name.startsWith('@')) return [name];
  const { stdout } = analyze('syscall-filter', name);
  const names = stdout.split('\n').slice(1).map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
  assert.ok(names.length > 0, name);
  return names.flatMap(callsOf);
}

/* What SystemCallFilter= leaves: systemd.exec(5). */
function allowedCalls(unit) {
  const allowed = new Set(callsOf('@default'));
  for (const [, remove, names] of unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    for (const name of names.split(' ').flatMap(callsOf)) {
      if (remove) allowed.delete(name);
      else allowed.add(name);
    }
  }
  return [...allowed];
}

/* As this machine counts them. */
function numbersOf(names) {
  const { stdout } = spawnSync('cc', ['-E', '-dM', '-'], { input: '#include <sys/syscall.h>', encoding: 'utf8' });
  const numbers = new Map();
  for (const [, name, number] of stdout.matchAll(/^#define __NR_(\w+) (\d+)$/gm)) numbers.set(name, number);
  return names.filter((name) => numbers.has(name)).map((name) => numbers.get(name));
}

test('the server can do all that it does with the system calls that it is left', { timeout: TEST_MS }, async () => {
  const allowed = allowedCalls(readFileSync(path.join(UNITS, 'ringcast.service'), 'utf8'));
  assert.ok(allowed.includes('io_uring_enter') && !allowed.includes('mount') && !allowed.includes('ptrace'));
  const [port, tlsPort, receiver] = [await freePort(), await freePort(), await webhookReceiver()];
  const server = startManaged([
    '--listen', `127.0.0.1:${port}`, '--tls-listen', `127.0.0.1:${tlsPort}`, ...pairArgs(ECDSA), '--shards', '2',
    ...appArgs(`webhook=${receiver.url} webhook_events=channel_occupied`), '--webhook-batch-ms', '0',
    '--data-dir', path.join(folder, 'data'), '--history', '* durable=yes', '--drain-ms', '100ms',
  ], [], [process.env.ALLOW_CALLS, numbersOf(allowed).join(',')]);
  Object.assign(server, { port, url: `http://127.0.0.1:${port}` });
  try {
    while (!/^READY=1/.test(await server.heard.next(server.stderr())));
    const peer = await Peer.open(server);
    const secure = await connect({ url: `https://localhost:${tlsPort}`, ca: readFileSync(ca.cert) }, '/room/tea');
    await peer.subscribe('news');
    const told = await receiver.events.take(2, 'webhooks');
    assert.deepEqual(told.map(({ channel }) => channel).sort(), ['news', 'tea']);
    const { status } = await call(server, 'POST', '/events', { body: { name: 'ev', channel: 'news', data: 'x' } });
    assert.equal(status, 200);
    assert.equal((await peer.next('what was published')).data, 'x');
    process.kill(server.pid, 'SIGHUP');
    while (!/^RELOADING=1/.test(await server.heard.next('a reload')));
    process.kill(server.pid, 'SIGUSR1');
    await leave(secure);
    process.kill(server.pid, 'SIGTERM');
    assert.equal((await within(peer.ended, 'a goodbye')).code, 4100);
    assert.equal(await server.ends.next('the end'), 0, server.stderr());
    assertQuiet(server.stderr());
    assert.doesNotMatch(server.stderr(), /not permitted/);
  } finally {
    server.close();
  }
});

/* --- what it says ------------------------------------------------------------------------------------------------- */

const DRAIN_SECONDS = 60;    /* twice what a deploy takes that nobody notices */

test('the unit has time for a drain', { timeout: TEST_MS }, () => {
  const unit = readFileSync(path.join(UNITS, 'ringcast.service'), 'utf8');
  const [, stop] = /^TimeoutStopSec=(\d+)$/m.exec(unit);
  const sample = spawnSync(process.env.RINGCAST, ['--print-sample-config'], { encoding: 'utf8' }).stdout;
  const seconds = (name) => Number(new RegExp(`^#${name} = (\\d+)s$`, 'm').exec(sample)?.[1] ?? assert.fail(name));
  assert.ok(Number(stop) > DRAIN_SECONDS + seconds('drain_ms_max') + seconds('webhook_stop_ms_max'), unit);
});
