/* tests/e2e/container.test.mjs - what is there for containers, as far as no engine is needed: the server under the
 * seccomp profile, the health check, the files that Compose and Kubernetes read; in the long run also each step of the
 * Containerfile, in trees of Debian. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chat } from './chat.mjs';
import { run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { sized } from './support.mjs';
import { inTree, makeTree, tool } from './tree.mjs';

const HERE = dirname(fileURLToPath(import.meta.url)), ROOT = resolve(HERE, '../..');
const PYTHON = '/usr/bin/python3';    /* Debian's, which has Debian's modules */
const PROFILE = join(ROOT, 'deploy/seccomp.json');
const UNDER_PROFILE = ['-B', join(HERE, 'with_profile.py')];
const MADE_OF = /^0\.50\./;           /* of golang-github-containers-common: what deploy/seccomp.json is made of */
const folder = mkdtempSync(join(tmpdir(), 'ringcast-container-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const shipped = (name) => readFileSync(join(ROOT, 'deploy', name), 'utf8');

function write(name, text) {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/* All documents of a file of YAML. */
function yaml(name) {
  const script = 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))';
  return JSON.parse(tool(PYTHON, '-c', script, join(ROOT, 'deploy', name)));
}

/* ---- the seccomp profile ---- */

test('the server runs under the seccomp profile, and not under that of the engines', async () => {
  const server = await startServer([], { binary: PYTHON, before: [...UNDER_PROFILE, PROFILE, process.env.RINGCAST] });
  await chat(`ws://127.0.0.1:${server.port}/`);
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());

  const profile = JSON.parse(readFileSync(PROFILE, 'utf8'));
  assert.deepEqual(profile.syscalls.pop().names, ['io_uring_enter', 'io_uring_register', 'io_uring_setup']);
  const without = write('without.json', JSON.stringify(profile));
  const refused = await run([...UNDER_PROFILE, without, process.env.RINGCAST], { command: PYTHON });
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /^ringcast: io_uring is not allowed here: io_uring_setup is refused .*seccomp profile/m);
});

test('the profile is what deploy/seccomp makes of the default one, in the form that all engines read', () => {
  const made = JSON.parse(tool(join(ROOT, 'deploy/seccomp')));
  for (const rule of made.syscalls) {
    assert.deepEqual(Object.keys(rule).filter((key) => !['names', 'action', 'args', 'errnoRet'].includes(key)), []);
  }
  const version = tool('dpkg-query', '-W', '-f', '${Version}', 'golang-github-containers-common');
  if (MADE_OF.test(version)) assert.deepEqual(made, JSON.parse(readFileSync(PROFILE, 'utf8')));
});

/* ---- the Containerfile ---- */

/* Its instructions, [NAME, rest]. */
function instructions() {
  const lines = shipped('Containerfile').replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ').split('\n');
  return lines.filter((line) => line.trim()).map((line) => line.match(/^([A-Z]+) +(.*)$/).slice(1));
}

/* Of the last stage. */
function settingOf(name) {
  return instructions().filter(([instruction]) => instruction === name).map(([, rest]) => rest);
}

function healthCommand(port) {
  return JSON.parse(settingOf('HEALTHCHECK')[0].replace(/^.*?CMD /, '').replaceAll('8081', port));
}

test('the health check of the container tells whether the server serves', async () => {
  const control = await freePort();
  const server = await startServer(['--control', `127.0.0.1:${control}`]);
  const [command, ...args] = healthCommand(String(control));
  assert.equal(spawnSync(command, args).status, 0);
  await server.stop();
  assert.notEqual(spawnSync(command, args).status, 0);
});

/* Does each step as an engine would, every stage in a tree of its own; the last tree. */
function build() {
  const trees = {};
  let tree, stage = 0;
  const steps = {
    FROM(rest) {
      const [, suite, name] = rest.match(/^debian:([a-z]+)-slim(?: AS (\w+))?$/);
      tree = trees[name ?? 'last'] = join(folder, `stage-${stage++}`);
      if (stage === 1) makeTree(suite, join(folder, 'base'));
      tool('cp', '-a', join(folder, 'base'), tree);
    },
    COPY(rest) {
      const [, from, source, target] = rest.match(/^(?:--from=(\w+) )?(\S+) (\S+)$/);
      mkdirSync(join(tree, target), { recursive: true });
      if (from) return tool('sh', '-c', `cp ${trees[from]}${source} ${tree}${target}`);
      const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');
      const excludes = ignored.map((name) => `--exclude ${name.startsWith('**/') ? name.slice(3) : `./${name}`}`);
      return tool('sh', '-c', `tar ${excludes.join(' ')} -C ${ROOT} -c . | tar -C ${tree}${target} -x`);
    },
    RUN(rest) { inTree(tree, 'sh', '-c', rest); },
  };
  for (const [name, rest] of instructions()) steps[name]?.(rest);
  return tree;
}

for (const title of sized([], ['what the Containerfile builds runs as a user without rights, and is healthy'])) {
  test(title, async () => {
    const tree = build();
    const enter = `mount -t proc proc "$0/proc" && exec chroot --userspec=${settingOf('USER')} "$0" "$@"`;
    const entry = JSON.parse(settingOf('ENTRYPOINT')[0]);
    const command = ['--mount', 'sh', '-c', enter, tree, '/usr/bin/env', ...entry];
    const server = await startServer(['--history', '* durable=yes'], { binary: 'unshare', before: command });
    await chat(`ws://127.0.0.1:${server.port}/`);
    assert.match(inTree(tree, ...healthCommand('8081')), /^$/);
    assert.equal(tool('stat', '-c', '%u:%g', join(tree, 'var/lib/ringcast/ringcast.db')).trim(), settingOf('USER')[0]);
    assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
  });
}

/* ---- Compose and Kubernetes ---- */

const [uid] = settingOf('USER')[0].split(':').map(Number);
const port = Number(settingOf('EXPOSE')[0]), [volume] = settingOf('VOLUME');

/* What the server makes of a configuration. */
async function configured(args, env) {
  const { code, stdout, stderr } = await run([...args, '--print-config'], { env });
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  return stdout;
}

/* The installed file, changed as the image has it changed. */
function configOfImage() {
  const change = settingOf('RUN').find((command) => command.startsWith('sed '));
  const file = write('image.conf', readFileSync(join(process.env.BUILD, 'deploy/ringcast.conf'), 'utf8'));
  tool('sh', '-c', change.replace('/etc/ringcast/ringcast.conf', file));
  return file;
}

test('the file for Compose fits the image, and the server takes its variables', async () => {
  const [{ services: { ringcast }, secrets }] = yaml('compose.yaml');
  assert.equal(ringcast.build.dockerfile, 'deploy/Containerfile');
  assert.ok(ringcast.security_opt.includes('seccomp:seccomp.json'));
  assert.ok(shipped('compose.yaml').includes(`chown ${uid} ringcast.secret`));    /* compose mounts it as it is */
  assert.ok(ringcast.ports[0].endsWith(`:${port}`));
  assert.deepEqual(ringcast.volumes, [`data:${volume}`]);
  assert.ok(secrets[ringcast.secrets[0]]);
  const secret = write('secret', 'x'.repeat(64));
  const given = { ...ringcast.environment };
  assert.match(given.RINGCAST_APP, new RegExp(`@/run/secrets/${ringcast.secrets[0]}$`));
  given.RINGCAST_APP = given.RINGCAST_APP.replace(/@.*/, `@${secret}`);
  const shown = await configured(['--config', configOfImage()], given);
  assert.match(shown, /\n\[app 1001\]\nkey = chat /);
  assert.match(shown, new RegExp(`\nlisten = 0\\.0\\.0\\.0:${port} `));
  assert.match(shown, /\ncontrol = 127\.0\.0\.1:8081 /);
  assert.match(shown, new RegExp(`\ndata_dir = ${volume} `));
});

test('the manifest for Kubernetes fits the image, its probes are answered, and the server takes its file', async () => {
  const [config, service, { spec: { template: { spec: pod } } }] = yaml('kubernetes.yaml');
  const [container] = pod.containers, mounts = Object.fromEntries(container.volumeMounts.map((one) => [one.name, one]));
  assert.equal(pod.securityContext.runAsUser, uid);
  assert.deepEqual(pod.securityContext.seccompProfile, { type: 'Localhost', localhostProfile: 'ringcast.json' });
  const ports = Object.fromEntries(container.ports.map((one) => [one.name, one.containerPort]));
  assert.equal(ports.http, port);
  assert.equal(service.spec.ports[0].targetPort, container.ports[0].name);
  assert.equal(mounts.data.mountPath, volume);
  for (const { name } of pod.volumes) assert.ok(mounts[name], name);

  const secret = write('secret', 'x'.repeat(64)), text = config.data['ringcast.conf'];
  assert.ok(text.includes(`secret = @${mounts.secret.mountPath}/`));
  assert.ok(text.includes(`\ncontrol = 0.0.0.0:${ports.control}\n`));
  const control = await freePort(), data = join(folder, 'data');
  const file = write('ringcast.conf', text.replace(/@.*/, `@${secret}`).replaceAll(volume, data)
    .replace(`:${ports.control}`, `:${control}`));
  assert.match(await configured(['--config', file]), /\n\[channels \*\]\n/);
  const server = await startServer(['--config', file]);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    assert.equal(container[probe].httpGet.port, 'control');
    const { status } = await fetch(`http://127.0.0.1:${control}${container[probe].httpGet.path}`);
    assert.equal(status, 200, probe);
  }
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
});
