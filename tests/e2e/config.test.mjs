/* tests/e2e/config.test.mjs - the configuration file: a server that was given nothing else, mistakes told together, and
 * what the program says of its configuration. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { run } from './run.mjs';
import { startServer } from './server.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ringcast-config-'));
after(() => rmSync(folder, { recursive: true }));

function write(name, text) {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('a server is what its file says', async () => {
  const config = write('ringcast.conf', `# comment
[server]
page = no
guests = no
[store]
data_dir = ${join(folder, 'data')}
[app 1001]
key = a-key
secret = a-secret
enabled = no
[channels kept-*]
durable = yes
`);
  mkdirSync(join(folder, 'conf.d'));
  write('conf.d/shards.conf', '[server]\nshards = 1\n');
  const server = await startServer(['--config', config]);
  try {
    assert.equal((await fetch(`${server.url}/up`)).status, 200);
    assert.equal((await fetch(`${server.url}/room/x`)).status, 404, 'no page');
    const answer = await fetch(`${server.url}/apps/1001/channels`);
    assert.match(await answer.text(), /auth_key/);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    await server.kill();
  }
});

test('all mistakes are told at once, a line each, and the status is 2', async () => {
  const config = write('wrong.conf', '[limits]\nping_ms = often\npongms = 1s\n[app 1]\nkey = k\n');
  const { code, stdout, stderr } = await run(['--config', config]);
  assert.deepEqual([code, stdout], [2, '']);
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines.length, 3, stderr);
  const wrong = '"often" is not a time (500ms, 10s, 24h, 7d); give 10ms to 1h';
  assert.equal(lines[0], `ringcast: ${config}:2: ping_ms: ${wrong}`);
  assert.match(lines[1], /wrong.conf:3: unknown option "pongms" in \[limits\]; did you mean ping_ms\?$/);
  assert.match(lines[2], /wrong.conf:4: app 1 has no secret/);
});

test('-vv says what it is made of and runs on', async () => {
  const { code, stdout, stderr } = await run(['-vv']);
  assert.deepEqual([code, stderr], [0, '']);
  for (const line of [
    /^ringcast \d+\.\d+\.\d+$/m, /^build +(gcc|Debian clang|clang)/mi,
    /^libraries +liburing \d+\.\d+, Concurrency Kit \d.*Mbed TLS 3\..*llhttp \d.*yyjson \d.*SQLite 3\.\d+/mi,
    /^ +libcurl\/\d.*glibc 2\.\d+$/m, /^TLS +X25519 and P-256 by nettle, .*AES-128-GCM by /m,
    /^kernel +Linux /m, /^io_uring +io_uring of kernel /m, /^limits +RLIMIT_NOFILE /m,
  ]) assert.match(stdout, line);
});

test('the sample is a file that a server takes, and what counts is shown with its source', async () => {
  const sample = await run(['--print-sample-config']);
  assert.deepEqual([sample.code, sample.stderr], [0, '']);
  const config = write('sample.conf', sample.stdout);
  write('conf.d/shards.conf', '[server]\nshards = 1\n[app 1]\nkey = k\nsecret = hidden\n');
  const env = { RINGCAST_CLOSE_MS_MAX: '8s' };
  const shown = await run(['--config', config, '--ping-ms=9s', '--print-config'], { env });
  assert.deepEqual([shown.code, shown.stderr], [0, '']);
  assert.match(shown.stdout, /^shards = 1 +# .*\/conf\.d\/shards\.conf:2, restart$/m);
  assert.match(shown.stdout, /^ping_ms = 9s +# --ping-ms$/m);
  assert.match(shown.stdout, /^close_ms_max = 8s +# RINGCAST_CLOSE_MS_MAX$/m);
  assert.match(shown.stdout, /^secret = \*\*\* +# .*shards\.conf:3$/m);
  assert.doesNotMatch(shown.stdout, /hidden/);
});
