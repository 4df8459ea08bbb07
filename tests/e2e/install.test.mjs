/* tests/e2e/install.test.mjs - what cmake --install puts where: programs that need nothing of the build, the
 * configuration, the pages of the manual. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { run } from './run.mjs';
import { startServer } from './server.mjs';
import { chat } from './chat.mjs';

const { BUILD } = process.env;
const PAGES = ['man1/ringcast.1', 'man1/ringcast-load.1', 'man5/ringcast.conf.5'];
const folder = mkdtempSync(join(tmpdir(), 'ringcast-install-'));
after(() => rmSync(folder, { recursive: true }));

const installed = spawnSync('cmake', ['--install', BUILD], { env: { ...process.env, DESTDIR: folder } });
const cache = readFileSync(join(BUILD, 'CMakeCache.txt'), 'utf8');
const prefix = /^CMAKE_INSTALL_PREFIX:PATH=(.*)$/m.exec(cache)[1];
const pathOf = (name) => join(folder, prefix, name);
const config = prefix === '/usr' ? join(folder, 'etc/ringcast') : pathOf('etc/ringcast');
const binary = pathOf('bin/ringcast');

function tool(command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('it is installed', () => {
  assert.equal(installed.status, 0, `${installed.stdout}${installed.stderr}`);
  for (const name of ['bin/ringcast', 'bin/ringcast-load']) {
    assert.doesNotMatch(tool('readelf', '-d', pathOf(name)).output, new RegExp(BUILD), 'it needs the build folder');
  }
  assert.ok(readdirSync(pathOf('share/doc/ringcast/deploy')).includes('README.md'));
  for (const name of ['manual/first-deployment.md', 'proxy/nginx.conf']) {
    assert.ok(statSync(pathOf(`share/doc/ringcast/deploy/${name}`)).isFile());
  }
  assert.ok(statSync(join(config, 'conf.d')).isDirectory());
  assert.equal(tool('bash', '-n', pathOf('share/bash-completion/completions/ringcast')).status, 0);
});

test('what the installed manuals link to is installed', () => {
  const doc = pathOf('share/doc/ringcast'), lost = [];
  const manuals = readdirSync(doc, { recursive: true }).filter((name) => name.endsWith('.md'));
  assert.ok(manuals.length > 10);
  for (const name of manuals) {
    for (const [, target] of readFileSync(join(doc, name), 'utf8').matchAll(/\]\(([^)#\s:]+)(?:#[^)]*)?\)/g)) {
      if (!existsSync(join(doc, dirname(name), target))) lost.push(`${name}: ${target}`);
    }
  }
  assert.deepEqual(lost, []);
});

test('the configuration file is the sample with a few lines set, and for few to read', async () => {
  const file = join(config, 'ringcast.conf');
  assert.equal(statSync(file).mode & 0o777, 0o640);
  const sample = (await run(['--print-sample-config'])).stdout.split('\n');
  const lines = readFileSync(file, 'utf8').split('\n');
  const settled = readFileSync(new URL('../../deploy/packaged.conf', import.meta.url), 'utf8').trim().split('\n');
  assert.equal(lines.length, sample.length);
  assert.deepEqual(lines.filter((line, i) => line !== sample[i]).sort(), [...settled].sort());
  const { code, stdout } = await run(['--config', file, '--print-config'], { command: binary });
  assert.equal(code, 0);
  assert.match(stdout, /^listen = 127\.0\.0\.1:8080 +# .*ringcast\.conf:\d+, restart$/m);
});

test('the installed file takes what the first deployment writes at its end', async () => {
  const page = readFileSync(pathOf('share/doc/ringcast/deploy/manual/first-deployment.md'), 'utf8');
  const secret = join(folder, 'secret'), file = join(folder, 'deployed.conf');
  writeFileSync(secret, 'x'.repeat(64));
  const [, addition] = page.match(/```ini\n(.*?)```/s);
  writeFileSync(file, readFileSync(join(config, 'ringcast.conf'), 'utf8').replace(/^#data_dir/m, 'data_dir')
    + addition.replace(/@.*/, `@${secret}`));
  const { code, stdout, stderr } = await run(['--config', file, '--print-config'], { command: binary });
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /\n\[app 1001\]\nkey = chat .*\n\[channels \*\]\n/s);
});

test('the installed program serves with the installed file', async () => {
  const control = `unix:${join(folder, 'control.sock')}`;    /* its own is for a service */
  const server = await startServer(['--config', join(config, 'ringcast.conf'), '--control', control], { binary });
  try {
    await chat(`ws://127.0.0.1:${server.port}/room/installed`);
  } finally {
    assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
  }
});

test('the pages of the manual are well formed, and have every option', async () => {
  const page = {};
  for (const name of PAGES) {
    const path = pathOf(`share/man/${name}.gz`);
    page[name] = gunzipSync(readFileSync(path)).toString().replaceAll('\\-', '-');
    assert.deepEqual(tool('mandoc', '-T', 'lint', '-W', 'style', path), { status: 0, output: '' });
    const groff = tool('sh', '-c', `gunzip -c '${path}' | groff -ww -man -z -Tutf8`);
    assert.deepEqual(groff, { status: 0, output: '' });
  }
  const flags = (text) => new Set(text.match(/^  --[a-z-]+/gm).map((flag) => flag.trim()));
  for (const flag of flags((await run(['--help'])).stdout)) {
    assert.ok(page[PAGES[0]].includes(`\n\\fB${flag}\\fR`), flag);
  }
  for (const flag of flags((await run(['--help'], { command: pathOf('bin/ringcast-load') })).stdout)) {
    assert.ok(page[PAGES[1]].includes(`\n\\fB${flag}\\fR`), flag);
  }
  const commands = readFileSync(new URL('../../server/ctl/command.def', import.meta.url), 'utf8')
    .match(/^COMMAND\w*\(\w+, (?:GET, |POST, )?"[^"]+"/gm).map((row) => row.match(/"(.*)"/)[1]);
  for (const words of commands) assert.ok(page[PAGES[0]].includes(`\n\\fB${words}\\fR`), words);
  const names = (await run(['--print-sample-config'])).stdout.match(/^#[a-z_]+(?= =)/gm);
  assert.ok(names.length > 60);
  for (const name of names) assert.ok(page[PAGES[2]].includes(`\n\\fB${name.slice(1)}\\fR`), name);
});
