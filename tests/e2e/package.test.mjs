/* tests/e2e/package.test.mjs - Debian's package: what is in it; in the long run also its life in trees of Debian 12 and
 * 13 that know nothing of these sources: installed, started, reloaded, upgraded, purged; then once more by systemd, in
 * the same tree, booted. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Booted } from './booted.mjs';
import { chat } from './chat.mjs';
import { run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { sized, until } from './support.mjs';
import { ca, HERE, makePair, openssl, serialOf } from './tls.mjs';
import { inTree, makeTree, tool } from './tree.mjs';

const { BUILD } = process.env;
const SOURCES = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const CONFIG = 'etc/ringcast/ringcast.conf';
const folder = mkdtempSync(join(tmpdir(), 'ringcast-package-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/* ---- what is in it ---- */

test('the package of this build is well formed, and its programs run where it is unpacked', async () => {
  const quick = ['-D', 'CPACK_DEBIAN_COMPRESSION_TYPE=gzip'];
  tool('cpack', '--config', join(BUILD, 'CPackConfig.cmake'), '-B', folder, ...quick);
  const files = readdirSync(folder).filter((name) => /deb$/.test(name)).sort();
  assert.equal(files.length, 2, files.join());
  assert.match(files[0], /^ringcast-dbgsym_.*\.ddeb$/);
  const deb = join(folder, files[1]);
  const paragraph = tool('dpkg-deb', '-f', deb).split(/\n(?! )/);
  const fields = Object.fromEntries(paragraph.map((line) => line.split(/: (.*)/s)));
  assert.match(fields.Version, /^\d+\.\d+\.\d+-/);
  assert.match(fields.Depends, /systemd-standalone-sysusers.*\blibc6 \(>= .*\blibcurl4.*\blibnettle8/);
  assert.match(fields.Description, /^instant messages.*\n A server.*\n \.\n /s);

  const control = join(folder, 'control'), tree = join(folder, 'tree');
  tool('dpkg-deb', '-e', deb, control);
  assert.equal(readFileSync(join(control, 'conffiles'), 'utf8'), `/${CONFIG}\n`);
  for (const script of ['postinst', 'prerm', 'postrm']) tool('sh', '-n', join(control, script));
  const lines = tool('dpkg-deb', '-c', deb).trim().split('\n').map((line) => line.split(/ +/));
  for (const [mode, owner, , , , name] of lines) {
    assert.equal(owner, 'root/root', name);
    const expected = name === `./${CONFIG}` ? /^-rw-r-----$/ : /^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|lrwxrwxrwx)$/;
    assert.match(mode, expected, name);
    assert.doesNotMatch(name, /\/local\/|build/);
  }
  const names = new Set(lines.map((line) => line[5]));
  for (const name of ['bin/ringcast', 'bin/ringcast-load', 'lib/sysusers.d/ringcast.conf',
    'lib/systemd/system/ringcast.service', 'lib/systemd/system/ringcast.socket',
    'share/doc/ringcast/copyright', 'share/doc/ringcast/changelog.Debian.gz', 'share/man/man1/ringcast.1.gz',
    'share/man/man5/ringcast.conf.5.gz']) {
    assert.ok(names.has(`./usr/${name}`), name);
  }
  tool('dpkg-deb', '-x', deb, tree);
  const binary = join(tree, 'usr/bin/ringcast');
  const socket = `unix:${join(folder, 'control.sock')}`;    /* its own has a folder only where it is installed */
  const server = await startServer(['--config', join(tree, CONFIG), '--control', socket], { binary });
  await chat(`ws://127.0.0.1:${server.port}/`);
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
  assert.match((await run(['--version'], { command: binary })).stdout, /^ringcast \d/);
});

/* ---- its life ---- */

/* The package with another version, and another configuration file in it. */
function newerOf(deb, version) {
  const tree = join(folder, `newer-${version}`), file = join(folder, `ringcast_${version}.deb`);
  tool('dpkg-deb', '-R', deb, tree);
  const control = join(tree, 'DEBIAN/control'), config = join(tree, CONFIG);
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  writeFileSync(config, `${readFileSync(config, 'utf8')}\n# of ${version}\n`);
  tool('dpkg-deb', '-b', tree, file);
  rmSync(tree, { recursive: true });
  return file;
}

function install(tree, deb, ...options) {
  const name = `/root/${deb.split('/').pop()}`;
  tool('cp', deb, `${tree}${name}`);
  inTree(tree, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y', '--no-install-recommends', ...options,
    'install', 'systemd-standalone-sysusers', name);
}

/* Started as its service starts it, without a service manager, which no tree has. */
async function tryService(tree, { tlsPort, pair, renewed }) {
  const command = ['--mount', 'sh', '-c', 'mount -t proc proc "$0/proc" && exec chroot --userspec=ringcast "$0" "$@"',
    tree, '/usr/bin/ringcast', '--config', `/${CONFIG}`];
  const server = await startServer([], { binary: 'unshare', before: command });
  try {
    assert.equal(tool('curl', '-s', '--unix-socket', `${tree}/run/ringcast/control.sock`, 'http://localhost/ready'),
      '{"ready":true,"reasons":[]}');
    await chat(`ws://127.0.0.1:${server.port}/`);
    const secure = { port: tlsPort, ca: openssl('x509', '-in', ca.cert) };
    await chat(`wss://localhost:${tlsPort}/room/a`, { ca: secure.ca });
    assert.equal(await serialOf(secure), pair.serial);
    tool('cp', renewed.cert, join(tree, 'etc/ringcast/cert.pem'));
    tool('cp', renewed.key, join(tree, 'etc/ringcast/key.pem'));
    process.kill(server.pid, 'SIGHUP');
    await until(async () => await serialOf(secure) === renewed.serial, 'the renewed certificate');
  } finally {
    assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
  }
  assert.match(server.stderr(), /TLS: X25519 and P-256 by nettle/);
}

const ofConfig = (tree) => inTree(tree, 'stat', '-c', '%U:%G %a', `/${CONFIG}`).trim();

async function liveAndDie(suite) {
  const tree = makeTree(suite, join(folder, suite)), builder = join(folder, `${suite}-builder`);
  tool('cp', '-a', tree, builder);
  mkdirSync(join(builder, 'root/ringcast'));
  tool('sh', '-c', 'tar -C "$0" --exclude ./build --exclude node_modules --exclude ./.git -c . | tar -C "$1" -x',
    SOURCES, join(builder, 'root/ringcast'));
  const lines = inTree(builder, '/root/ringcast/deploy/package').split('\n');
  const made = lines.filter((line) => /\.deb$/.test(line));
  assert.equal(made.length, 1);
  const deb = join(folder, made[0].split('/').pop());
  tool('cp', join(builder, made[0]), deb);
  rmSync(builder, { recursive: true });

  install(tree, deb);
  assert.equal(ofConfig(tree), 'root:ringcast 640');
  assert.equal(inTree(tree, 'stat', '-c', '%U:%G %a', '/var/lib/ringcast').trim(), 'ringcast:ringcast 700');
  assert.match(inTree(tree, 'ringcast', 'check'), /^warning +options +no file is read.*\n.*\n +cure: --config \/etc/m);
  assert.match(inTree(tree, 'ringcast', '-vv'), /^TLS +X25519 and P-256 by nettle, ECDSA on P-256 by nettle/m);

  const first = newerOf(deb, '1000.1');
  install(tree, first);
  assert.match(readFileSync(join(tree, CONFIG), 'utf8'), /\n# of 1000\.1\n$/, 'untouched: the newer one');
  assert.equal(ofConfig(tree), 'root:ringcast 640');

  const pair = makePair(`${suite}-first`, { names: HERE, issuer: ca });
  const renewed = makePair(`${suite}-renewed`, { names: HERE, issuer: ca });
  const tlsPort = await freePort();
  tool('cp', pair.cert, join(tree, 'etc/ringcast/cert.pem'));
  tool('cp', pair.key, join(tree, 'etc/ringcast/key.pem'));
  inTree(tree, 'chgrp', 'ringcast', '/etc/ringcast/key.pem');
  inTree(tree, 'chmod', '640', '/etc/ringcast/key.pem');
  const edited = readFileSync(join(tree, CONFIG), 'utf8')
    .replace(/^#cert =$/m, '').replace(/^\[tls\]$/m,
      `[tls]\nlisten = 127.0.0.1:${tlsPort}\ncert = /etc/ringcast/cert.pem\nkey = /etc/ringcast/key.pem`)
    .replace(/^#data_dir/m, 'data_dir') + '\n[channels a]\ndurable = yes\n';
  writeFileSync(join(tree, CONFIG), edited);
  await tryService(tree, { tlsPort, pair, renewed });
  assert.ok(readdirSync(join(tree, 'var/lib/ringcast')).includes('ringcast.db'));

  install(tree, newerOf(deb, '1000.2'), '-o', 'Dpkg::Options::=--force-confdef');
  assert.equal(readFileSync(join(tree, CONFIG), 'utf8'), edited, 'edited: kept');
  assert.match(readFileSync(join(tree, `${CONFIG}.dpkg-dist`), 'utf8'), /# of 1000\.2\n$/);
  assert.equal(ofConfig(tree), 'root:ringcast 640');

  inTree(tree, 'dpkg', '--remove', 'ringcast');
  assert.ok(readdirSync(join(tree, 'var/lib/ringcast')).includes('ringcast.db'), 'removed, not purged: kept');
  inTree(tree, 'dpkg', '--purge', 'ringcast');
  assert.equal(inTree(tree, 'find', '/etc', '/usr', '/var', '/run', '-name', '*ringcast*'), '');
  assert.doesNotMatch(readFileSync(join(tree, 'etc/passwd'), 'utf8'), /ringcast/);
  await liveUnderSystemd(tree, deb);
}

/* ---- its life as a service ---- */

const isServed = (machine) => machine.try('curl', '-sf', 'http://127.0.0.1:8080/up').status === 0;

/* Lines of the unit that are other ones here. Starts so far are forgotten: of too many systemd refuses the next one. */
function override(machine, lines) {
  machine.run('sh', '-c', 'mkdir -p "$0" && printf "$1" > "$0/test.conf"', '/run/systemd/system/ringcast.service.d',
    `[Service]\\n${lines}`);
  machine.run('systemctl', 'daemon-reload');
  machine.run('systemctl', 'reset-failed', 'ringcast');
}

/* With a secret from systemd, which gives it to the server alone. */
async function reloadIt(machine) {
  override(machine, 'SetCredential=shop:topsecret\\n');
  machine.run('sh', '-c', 'printf "[app 1]\\nkey = k\\nsecret = @/run/credentials/ringcast.service/shop\\n" > "$0"',
    '/etc/ringcast/conf.d/app.conf');
  machine.run('systemctl', 'restart', 'ringcast');
  const { MainPID: pid } = machine.service('MainPID');
  machine.run('sed', '-i', 's/^#ping_ms = .*/ping_ms = 20s/', `/${CONFIG}`);
  machine.run('systemctl', 'reload', 'ringcast');
  const { values } = JSON.parse(machine.run('ringcast', 'ctl', '--json', 'config', 'get', 'ping_ms'));
  assert.equal(values[0].value, '20s');
  machine.run('sed', '-i', 's/^ping_ms = .*/ping_ms = often/', `/${CONFIG}`);
  assert.notEqual(machine.try('systemctl', 'reload', 'ringcast').status, 0);
  const journal = machine.run('journalctl', '-u', 'ringcast', '-o', 'cat');
  assert.match(journal, /ctl: refused, .*ping_ms: "often" is not a time/);
  machine.run('sed', '-i', 's/^ping_ms = .*/ping_ms = 20s/', `/${CONFIG}`);
  assert.deepEqual(machine.service('MainPID', 'ActiveState'), { MainPID: pid, ActiveState: 'active' });
  machine.run('rm', '/etc/ringcast/conf.d/app.conf');
}

/* One that stands still is ended and started again, and so is one that crashes. */
async function failIt(machine) {
  override(machine, 'WatchdogSec=2\n');
  machine.run('systemctl', 'restart', 'ringcast');
  const ends = async (signal) => {
    const { MainPID: pid } = machine.service('MainPID');
    machine.run('kill', `-${signal}`, pid);
    await until(() => machine.service('MainPID').MainPID !== pid && isServed(machine), `another one after ${signal}`);
  };
  await ends('STOP');
  await ends('SEGV');
  assert.equal(machine.service('NRestarts').NRestarts, '2');
}

const HOLD = `import WebSocket from 'ws';
  const codes = [];
  for (let i = 0; i < 20; i++) {
    const client = new WebSocket('ws://127.0.0.1:8080/room/a');
    client.on('open', () => console.log('open'));
    client.on('close', (code) => { codes.push(code); if (codes.length === 20) console.log(codes.join()); });
  }`;

/* A drain may take longer than the unit's timeout, which is told that it gets on. */
async function drainIt(machine) {
  override(machine, 'TimeoutStopSec=2\n');
  machine.run('sed', '-i', 's/^drain_ms = .*/drain_ms = 6s/', `/${CONFIG}`);
  machine.run('systemctl', 'restart', 'ringcast');
  const clients = machine.spawnOnNetwork(process.execPath, '--input-type=module', '-e', HOLD);
  let heard = '';
  clients.stdout.on('data', (chunk) => { heard += chunk; });
  await until(() => heard.split('open').length === 21, '20 clients');
  machine.run('systemctl', 'stop', 'ringcast');
  await until(() => heard.includes(Array(20).fill(1001).join()), 'goodbyes to all');
  assert.deepEqual(machine.service('Result', 'ActiveState'), { Result: 'success', ActiveState: 'inactive' });
}

/* systemd listens in its place, and who asks while there is no server waits for the next one. */
async function passItASocket(machine) {
  machine.run('systemctl', 'enable', '--now', 'ringcast.socket');
  assert.equal(machine.service('ActiveState').ActiveState, 'inactive');
  assert.ok(isServed(machine), 'started by who asked');
  const { MainPID: pid } = machine.service('MainPID');
  machine.run('sh', '-c', 'systemctl stop ringcast && curl -sf http://127.0.0.1:8080/up');
  assert.notEqual(machine.service('MainPID').MainPID, pid);
}

async function liveUnderSystemd(tree, deb) {
  inTree(tree, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y', '--no-install-recommends', 'install',
    'systemd', 'systemd-sysv', 'iproute2', 'curl', 'procps');
  const newer = newerOf(deb, '1000.3');
  for (const [file, name] of [[deb, 'ringcast.deb'], [newer, 'newer.deb']]) tool('cp', file, join(tree, 'root', name));
  const machine = await Booted.boot(tree);
  try {
    machine.apt('install', '/root/ringcast.deb');
    assert.deepEqual(machine.service('ActiveState', 'SubState'), { ActiveState: 'active', SubState: 'running' });
    assert.match(machine.run('ringcast', 'ctl', 'status'), /^ready +yes$/m);
    await reloadIt(machine);
    await failIt(machine);
    await drainIt(machine);
    await passItASocket(machine);
    const { MainPID: pid } = machine.service('MainPID');
    machine.apt('-o', 'Dpkg::Options::=--force-confdef', 'install', '/root/newer.deb');
    assert.notEqual(machine.service('MainPID').MainPID, pid, 'the newer one runs');
    assert.ok(isServed(machine));
    machine.apt('remove', 'ringcast');
    assert.equal(machine.run('ss', '-Hltn', 'sport', '=', ':8080'), '', 'nobody listens any more');
    machine.apt('purge', 'ringcast');
    assert.equal(machine.run('find', '/etc', '/usr', '/var/lib', '/run', '-name', '*ringcast*', '-not', '-path',
      '/run/systemd/system/*'), '');
    assert.equal(machine.run('systemctl', 'list-units', '--all', '--plain', '--no-legend', 'ringcast*'), '');
  } finally {
    await machine.end();
  }
}

for (const suite of sized([], ['bookworm', 'trixie'])) {
  test(`in ${suite} it is built, installed, started, reloaded, upgraded, purged`, () => liveAndDie(suite));
}
