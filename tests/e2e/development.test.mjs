/* tests/e2e/development.test.mjs - what deploy/run gives a server to develop with, and that the server takes it.
 *
 * deploy/run stands in a folder of its own here, where nothing is installed or built unless a test says so: its server
 * is a script that prints what it was given. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync,
  symlinkSync, writeFileSync,
} from 'node:fs';
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

/* A checkout in which everything is installed and built already, in a folder of that name. */
function checkout(name = 'checkout') {
  const above = mkdtempSync(join(tmpdir(), 'ringcast-deploy-'));
  const top = join(above, name);
  for (const folder of ['deploy', 'build/release/bin', 'bin']) mkdirSync(join(top, folder), { recursive: true });
  const files = ['run', 'common.sh', 'nodes.sh', 'relative'];
  for (const file of files) copyFileSync(join(DEPLOY, file), join(top, 'deploy', file));
  chmodSync(join(top, 'deploy/relative'), 0o755);
  program(join(top, 'deploy/deps'), '#!/bin/sh\n');
  writeFileSync(join(top, 'build/release/build.ninja'), '');
  program(join(top, 'bin/cmake'), '#!/bin/sh\n');
  program(join(top, 'build/release/bin/ringcast'), '#!/bin/bash\nprintf "%s\\n" "$@"\n');
  return { above, top };
}

function environmentOf(top, variables = {}) {
  const { PATH, ...environment } = process.env;
  for (const name of Object.keys(environment)) if (name.startsWith('RINGCAST_')) delete environment[name];
  return { ...environment, PATH: `${join(top, 'bin')}:${PATH}`, ...variables };
}

/* What deploy/run starts when it is given these arguments, and what it says before. */
function run(...args) {
  return runIn({}, ...args);
}

function runIn(variables, ...args) {
  const { above, top } = checkout();
  try {
    const { status, stdout, stderr } = spawnSync('bash', [join(top, 'deploy/run'), ...args],
      { env: environmentOf(top, variables), encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return { args: stdout.trimEnd().split('\n').map((arg) => arg.replace(top, '')), said: stderr };
  } finally {
    rmSync(above, { recursive: true });
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

/* Says what it was given, and ends when both nodes have. */
const NODE = `#!/bin/bash
echo "$*" >>"$0.given"
until (($(wc -l <"$0.given") == 2)); do sleep 0.02; done
`;

test('with --redis deploy/run starts two nodes, each address of the second one further', (t) => {
  const { above, top } = checkout();
  t.after(() => rmSync(above, { recursive: true }));
  const binary = join(top, 'build/release/bin/ringcast');
  program(binary, NODE);
  const url = 'redis://127.0.0.1:7000';
  const args = ['--redis', url, '--listen=127.0.0.1:9000', '--control', 'unix:/run/c', '--shards', '3'];
  const { status, stderr } = spawnSync('bash', [join(top, 'deploy/run'), ...args],
    { env: environmentOf(top), encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const [first, second] = readFileSync(`${binary}.given`, 'utf8').trimEnd().split('\n').sort();
  assert.ok(first.startsWith(`${args.join(' ')} --guests --history `), first);
  assert.equal(second, first.replace(':9000', ':9001').replace('unix:/run/c', 'unix:/run/c-2'));
  assert.doesNotMatch(first, /--data-dir/, 'history is in Redis');
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

test('with an app or a configuration file deploy/run adds nothing, and says so', () => {
  for (const { args, said } of [
    run('--app', '1:k:s'), run('--app=1:k:s'), runIn({ RINGCAST_APP: '1:k:s' }), run('--apps-file', '1:k:s'),
    run('--config', '1:k:s'), runIn({ RINGCAST_CONFIG: '1:k:s' }),
  ]) {
    assert.deepEqual(args.filter((arg) => !/1:k:s|^--(app|apps-file|config)$/.test(arg)).join(''), '');
    assert.match(said, /an app or a configuration file is given, so neither guests nor history are added/);
    assert.match(said, /in production run \S+\/build\/release\/bin\/ringcast itself/);
  }
});

test('deploy/run sees what is given, whatever the language', (t) => {
  const locales = mkdtempSync(join(tmpdir(), 'ringcast-locales-'));
  try {
    const { status } = spawnSync('localedef', ['-i', 'tr_TR', '-f', 'ISO-8859-9', join(locales, 'tr_TR.ISO-8859-9')]);
    if (status !== 0) return t.skip('localedef cannot make a Turkish locale here');
    const { args } = runIn({
      LOCPATH: locales, LC_ALL: 'tr_TR.ISO-8859-9', RINGCAST_DATA_DIR: '/d', RINGCAST_HISTORY: '* durable=yes',
    });
    return assert.deepEqual(args, ['--guests']);
  } finally {
    rmSync(locales, { recursive: true });
  }
});

test('a checkout that cannot be written is told as that', (t) => {
  const { above, top } = checkout();
  try {
    for (const folder of ['build/release', 'build', '.']) chmodSync(join(top, folder), 0o555);
    const nobody = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
    chmodSync(above, 0o755);
    const { status, stdout, stderr } = spawnSync('bash', [join(top, 'deploy/run')],
      { env: environmentOf(top), encoding: 'utf8', ...nobody });
    assert.deepEqual([status, stdout], [1, ''], stderr);
    assert.match(stderr, /build\/release cannot be written by \w+, it belongs to \w+ or is on a read-only disk/);
  } finally {
    for (const folder of ['.', 'build', 'build/release']) chmodSync(join(top, folder), 0o755);
    rmSync(above, { recursive: true });
  }
});

/* The build marks its beginning and its end in a file. */
test('of several starts at once one builds at a time', async () => {
  const { above, top } = checkout();
  try {
    program(join(top, 'bin/cmake'), `#!/bin/sh
[ "$1" = --build ] || exit 0
echo begin >>'${join(above, 'log')}'; sleep 0.2; echo end >>'${join(above, 'log')}'
`);
    const starts = Array.from({ length: 3 }, () => once(spawn('bash', [join(top, 'deploy/run')],
      { env: environmentOf(top), stdio: 'ignore' }), 'exit'));
    assert.deepEqual(await Promise.all(starts), [[0, null], [0, null], [0, null]]);
    assert.equal(readFileSync(join(above, 'log'), 'utf8'), 'begin\nend\n'.repeat(3));
  } finally {
    rmSync(above, { recursive: true });
  }
});

/* The server that was started does not keep the lock. */
test('another start waits for no server', async () => {
  const { above, top } = checkout();
  program(join(top, 'build/release/bin/ringcast'), '#!/bin/sh\necho runs\nexec sleep 600\n');
  const first = spawn('bash', [join(top, 'deploy/run')], { env: environmentOf(top) });
  try {
    await once(first.stdout, 'data');
    program(join(top, 'build/release/bin/other'), '#!/bin/sh\n');
    renameSync(join(top, 'build/release/bin/other'), join(top, 'build/release/bin/ringcast'));
    const second = spawn('bash', [join(top, 'deploy/run')], { env: environmentOf(top), stdio: 'ignore' });
    assert.deepEqual(await once(second, 'exit'), [0, null]);
  } finally {
    first.kill('SIGKILL');
    rmSync(above, { recursive: true });
  }
});

/* A real build, of one file that includes another. */
test('in a folder with an apostrophe what is built stays built', () => {
  const { above, top } = checkout("it's");
  const commands = 'source deploy/common.sh; build_preset release && ninja -C build/release -n';
  const build = () => spawnSync('bash', ['-c', commands], { cwd: top, encoding: 'utf8' });
  try {
    rmSync(join(top, 'build'), { recursive: true });
    writeFileSync(join(top, 'one.h'), '#define ONE 1\n');
    writeFileSync(join(top, 'one.c'), '#include "one.h"\nint main(void) { return ONE; }\n');
    writeFileSync(join(top, 'CMakeLists.txt'), `cmake_minimum_required(VERSION 3.25)
project(one LANGUAGES C)
include_directories(\${CMAKE_SOURCE_DIR})
add_executable(one one.c)
`);
    copyFileSync(join(DEPLOY, '../CMakePresets.json'), join(top, 'CMakePresets.json'));
    assert.match(build().stdout, /no work to do/);
    assert.match(build().stdout, /no work to do/);
    writeFileSync(join(top, 'one.h'), '#define ONE 0\n');
    assert.match(build().stdout, /no work to do/);
    assert.equal(spawnSync(join(top, 'build/release/one')).status, 0, 'a header that changed is seen');
  } finally {
    rmSync(above, { recursive: true });
  }
});

/* As on a machine where deploy/run installed what the server is built with, and nothing for tests. */
test('the release preset needs no Criterion', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringcast-release-'));
  try {
    const top = join(DEPLOY, '..');
    const { stdout } = spawnSync('pkg-config', ['--variable', 'pc_path', 'pkg-config'], { encoding: 'utf8' });
    for (const from of stdout.trim().split(':').filter((path) => existsSync(path))) {
      for (const file of readdirSync(from)) {
        if (file === 'criterion.pc' || existsSync(join(folder, file))) continue;
        symlinkSync(join(from, file), join(folder, file));
      }
    }
    const { status, stderr } = spawnSync('cmake', ['-S', top, '--preset', 'release', '-B', join(folder, 'build')],
      { env: { ...process.env, PKG_CONFIG_LIBDIR: folder }, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
