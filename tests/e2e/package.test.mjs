/* tests/e2e/package.test.mjs - Debian's package: what is in it; in the long run also its life in trees of Debian 12 and
 * 13 that know nothing of these sources: installed, started, reloaded, upgraded, purged. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
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
}

for (const suite of sized([], ['bookworm', 'trixie'])) {
  test(`in ${suite} it is built, installed, started, reloaded, upgraded, purged`, () => liveAndDie(suite));
}
