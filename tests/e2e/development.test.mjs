/* tests/e2e/development.test.mjs - what deploy/run gives a server to develop with, and that the server takes it.
 *
 * deploy/run stands in a folder of its own here, where nothing is installed or built: its server is a script that
 * prints what it was given. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const { RINGCAST } = process.env;
const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const YEAR = 'durable=yes ttl=365d size=100000 bytes=64MiB';

function program(path, text) {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/* What deploy/run starts when it is given these arguments, and what it says before. */
function run(...args) {
  const top = mkdtempSync(join(tmpdir(), 'ringcast-deploy-'));
  try {
    for (const folder of ['deploy', 'build/release/bin', 'bin']) mkdirSync(join(top, folder), { recursive: true });
    for (const file of ['run', 'common.sh']) copyFileSync(join(DEPLOY, file), join(top, 'deploy', file));
    program(join(top, 'deploy/deps'), '#!/bin/sh\n');
    writeFileSync(join(top, 'build/release/build.ninja'), '');
    program(join(top, 'bin/cmake'), '#!/bin/sh\n');
    program(join(top, 'build/release/bin/ringcast'), '#!/bin/bash\nprintf "%s\\n" "$@"\n');
    const { PATH, ...environment } = process.env;
    for (const name of Object.keys(environment)) if (name.startsWith('RINGCAST_')) delete environment[name];
    const env = { ...environment, PATH: `${join(top, 'bin')}:${PATH}` };
    const { status, stdout, stderr } = spawnSync('bash', [join(top, 'deploy/run'), ...args], { env, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return { args: stdout.trimEnd().split('\n').map((arg) => arg.replace(top, '')), said: stderr };
  } finally {
    rmSync(top, { recursive: true });
  }
}

test('deploy/run keeps a year of rooms and conversations, unless it is told otherwise', () => {
  const { args } = run('--shards', '1');
  assert.deepEqual(args, ['--shards', '1', '--guests', '--history',
    `private-direct-* ${YEAR} client_events=client-message`, '--history', `private-* ${YEAR} client_events=yes`,
    '--history', `* ${YEAR}`, '--data-dir', '/build/development-data']);
  assert.deepEqual(run('--history', '*').args, ['--history', '*', '--guests']);
});

test('the server takes what deploy/run gives it', () => {
  const { args } = run();
  const directory = mkdtempSync(join(tmpdir(), 'ringcast-deploy-'));
  try { // an address that no machine has ends it once its options are read and its store is there
    args[args.indexOf('--data-dir') + 1] = directory;
    const { status, stderr } = spawnSync(RINGCAST, [...args, '--shards', '1', '--listen', '192.0.2.1:1'],
      { encoding: 'utf8' });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /192\.0\.2\.1:1/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('deploy/run says when strangers may fill the disk as fast as they can', () => {
  const warning = /rooms are kept on the disk and open to strangers without a limit/;
  for (const args of [
    [], ['--history', 'a durable=yes'], ['--history=  private-* size=5', '--history', '* durable=yes'],
  ]) {
    assert.match(run(...args).said, warning, args.join(' '));
  }
  for (const args of [
    ['--room-messages-per-second', '20'], ['--room-bytes-per-second=32KiB'], ['--history', '*'],
    ['--history', 'private-* durable=yes', '--history', 'presence-* durable=yes', '--history', 'a size=5'],
  ]) {
    assert.doesNotMatch(run(...args).said, warning, args.join(' '));
  }
});
