/* tests/e2e/metrics.test.mjs - /metrics and /stats of the control address: their formats, judged by Prometheus' own
 * tools, whether they say what happened, and that the manual has all of them. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { APP, appArgs, backend, channelTest, Peer } from './channels.mjs';
import { freePort } from './server.mjs';
import { atEnd, connect, serverTest, until } from './support.mjs';
import { tlsSocket, tlsTest } from './tls.mjs';

const ROOT = new URL('../..', import.meta.url).pathname;
const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

/* Debian's prometheus; deploy/deps says why it is unpacked there. */
process.env.PATH = `${join(ROOT, 'build/test-services/usr/bin')}:${process.env.PATH}`;

/* --- reading ------------------------------------------------------------------------------------------------------ */

async function scrape({ control }, accept) {
  const answer = await fetch(`${control.url}/metrics`, { headers: accept ? { accept } : {} });
  assert.equal(answer.status, 200);
  return { type: answer.headers.get('content-type'), text: await answer.text() };
}

const statsOf = async ({ control }) => (await fetch(`${control.url}/stats`)).json();

/* { 'name{labels}': number } of the samples. */
function samplesOf(text) {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => {
    const at = line.lastIndexOf(' ');
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

/* Over all labels. */
function sum(samples, name) {
  const found = Object.keys(samples).filter((key) => key === name || key.startsWith(`${name}{`));
  assert.ok(found.length > 0, `${name} is there`);
  return found.reduce((total, key) => total + samples[key], 0);
}

/* What a program says when it is given that text; rejects when it fails. */
async function fed(text, command, ...args) {
  const child = spawn(command, args);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { said += part; });
  child.stdin.end(text);
  const [code] = await once(child, 'close');
  assert.equal(code, 0, `${command} ${args.join(' ')}: ${said}`);
  return said;
}

/* --- formats ------------------------------------------------------------------------------------------------------ */

channelTest('promtool finds nothing wrong with the metrics', { control: true, args: ['--metrics-soketi'] },
  async (server) => {
    const peer = await Peer.open(server);
    await peer.subscribe('news');
    const { type, text } = await scrape(server);
    assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(await fed(text, 'promtool', 'check', 'metrics'), '', 'nor anything to say about names');
    await peer.leave();
  });

channelTest('who asks for OpenMetrics gets it, with the same samples', { control: true }, async (server) => {
  const { type, text } = await scrape(server, OPEN_METRICS);
  assert.equal(type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  assert.ok(text.endsWith('\n# EOF\n'));
  const plain = samplesOf((await scrape(server)).text);
  assert.deepEqual(Object.keys(samplesOf(text)), Object.keys(plain));
  for (const [, name, unit] of text.matchAll(/^# UNIT (\S+) (\S+)$/gm)) assert.ok(name.endsWith(`_${unit}`), name);
});

channelTest('only GET and HEAD, and only where backends come in', { control: true }, async (server) => {
  for (const path of ['/metrics', '/stats']) {
    const url = `${server.control.url}${path}`;
    const head = await fetch(url, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.ok(Number(head.headers.get('content-length')) > 1000);
    assert.equal(head.headers.get('cache-control'), 'no-store');
    assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405);
    assert.equal((await fetch(`${server.url}${path}`)).status, 404, 'not for clients');
  }
});

/* --- numbers ------------------------------------------------------------------------------------------------------ */

let tlsControlPort;

channelTest('the numbers are those of what happened', { control: true }, async (server) => {
  const peers = await Promise.all([1, 2, 3].map(() => Peer.open(server)));
  for (const peer of peers) await peer.subscribe('news');
  await backend(server).trigger('news', 'headline', 'Hello');
  for (const peer of peers) await peer.expect('headline', 'news', 'Hello');
  const speaker = await connect(server), reader = await connect(server);
  speaker.send('hi');
  await reader.inbox.next('a word in the lobby');
  await peers.pop().leave();
  /* The kernel has it before the reader does, the counters a moment after. */
  const now = await until(async () => {
    const samples = samplesOf((await scrape(server)).text);
    return sum(samples, 'ringcast_delivery_seconds_count') >= 2 && sum(samples, 'ringcast_subscriptions') === 4
      && samples[`ringcast_app_connections{app="${APP.id}"}`] === 2 && samples;
  }, 'both deliveries to be counted, and who has left');
  assert.equal(sum(now, 'ringcast_messages_published_total'), 2);
  assert.equal(sum(now, 'ringcast_messages_delivered_total'), 4);
  assert.equal(sum(now, 'ringcast_websocket_handshakes_total'), 5);
  assert.equal(now['ringcast_shards'], server.shards);
  assert.equal(now['ringcast_draining'], 0);
  assert.ok(now['process_resident_memory_bytes'] > 1e6);
  assert.ok(Math.abs(now['process_start_time_seconds'] - Date.now() / 1000) < 120);
  const stats = await statsOf(server);
  assert.equal(stats.counters.messages_delivered, 4);
  assert.equal(stats.shards.length, server.shards + 1);
  assert.equal(stats.shards.at(-1).name, 'control');
  assert.equal(stats.bounds_us.length + 1, stats.histograms.delivery.buckets.length);
  assert.deepEqual(stats.apps, [{ id: APP.id, connections: 2 }]);
  assert.ok(stats.histograms.delivery.count >= 2 && stats.histograms.delivery.p99_us > 0);
});

tlsTest('handshakes and the end of the certificate are told', {
  shards: [2], args: async () => ['--control', `127.0.0.1:${tlsControlPort = await freePort()}`],
}, async (server, secure) => {
  for (let i = 0; i < 3; i++) await tlsSocket(secure);
  const control = { url: `http://127.0.0.1:${tlsControlPort}` };
  const now = await until(async () => {
    const samples = samplesOf((await scrape({ control })).text);
    return sum(samples, 'ringcast_tls_handshake_seconds_count') === 3 && samples;
  }, 'three handshakes');
  assert.ok(now['ringcast_tls_handshake_seconds_sum'] > 0);
  assert.ok(now['ringcast_tls_handshake_seconds_sum'] < 30, 'times, not points of time');
  const left = now['ringcast_tls_certificate_expiry_timestamp_seconds'] - Date.now() / 1000;
  assert.ok(left > 89 * 86_400 && left < 91 * 86_400, `${left} s`);
});

channelTest('boards for Soketi find their names, if asked to', { control: true, args: ['--metrics-soketi'] },
  async (server) => {
    const peer = await Peer.open(server);
    const port = `port="${server.port}"`;
    /* A moment after the client has heard it the bytes are counted, and connections come and go. */
    await until(async () => {
      const samples = samplesOf((await scrape(server)).text);
      assert.equal(samples[`soketi_connected{app_id="${APP.id}",${port}}`], 1);
      return samples[`soketi_socket_transmitted_bytes{${port}}`] > 0 && sum(samples, 'ringcast_connections')
        === samples[`soketi_new_connections_total{${port}}`] - samples[`soketi_new_disconnections_total{${port}}`];
    }, 'the same by both names');
    await peer.leave();
  });

/* --- Prometheus --------------------------------------------------------------------------------------------------- */

/* The board's queries, with its variables filled in. */
function boardQueries() {
  const { panels, annotations } = JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/ringcast.json'), 'utf8'));
  return [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list]
    .map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replace(/\$(job|instance)/g, '.*'));
}

/* The queries of the alerts: what stands behind expr, in one line or indented below it. */
function alertQueries() {
  const rules = readFileSync(join(ROOT, 'deploy/prometheus/alerts.yml'), 'utf8');
  return [...rules.matchAll(/^ {8}expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)/gm)]
    .map(([, folded, line]) => folded ?? line);
}

test('promtool finds nothing wrong with the alerts, and each names its part of the manual', async () => {
  const file = join(ROOT, 'deploy/prometheus/alerts.yml'), rules = readFileSync(file, 'utf8');
  const alerts = rules.match(/^ +- alert: /gm).length;
  assert.match(await fed('', 'promtool', 'check', 'rules', file), new RegExp(`SUCCESS: ${alerts} rules found`));
  assert.equal(alertQueries().length, alerts);
  const headings = readFileSync(join(ROOT, 'deploy/README.md'), 'utf8').match(/^#+ .*/gm)
    .map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
  const named = [...rules.matchAll(/^ {10}manual: deploy\/README\.md#(.*)$/gm)].map(([, anchor]) => anchor);
  assert.equal(named.length, alerts);
  for (const anchor of named) assert.ok(headings.includes(anchor), anchor);
});

test('each alert fires by what it is about, and none on a calm day', async () => {
  const file = join(ROOT, 'tests/e2e/prometheus/alerts.test.yml'), cases = readFileSync(file, 'utf8');
  assert.match(await fed('', 'promtool', 'test', 'rules', file), /SUCCESS/);
  const rules = readFileSync(join(ROOT, 'deploy/prometheus/alerts.yml'), 'utf8');
  for (const [, name] of rules.matchAll(/- alert: (\w+)/g)) assert.ok(cases.includes(`alertname="${name}"`), name);
});

channelTest('the board and the alerts ask for metrics that there are', { control: true }, async (server) => {
  const { text } = await scrape(server);
  const known = new Set(Object.keys(samplesOf(text)).map((key) => key.replace(/\{.*/, '')));
  const queries = [...boardQueries(), ...alertQueries()];
  assert.ok(queries.length > 80);
  for (const query of queries) {
    const names = query.match(/\b(?:ringcast|process)_\w+/g) ?? [];
    assert.ok(names.length > 0 || query.startsWith('up{'), query);
    for (const name of names) assert.ok(known.has(name), `${name} in ${query}`);
  }
  const reasons = text.match(/reason="\w+"/g).map((label) => label.slice('reason="'.length, -1));
  for (const [, asked] of queries.join('\n').matchAll(/reason=~?"([^"]*)"/g))
    for (const reason of asked.split('|')) assert.ok(reasons.includes(reason), reason);
});

let controlPort;
async function controlArgs() {
  controlPort = await freePort();
  return [...appArgs(), '--shards', 2, '--control', `127.0.0.1:${controlPort}`];
}

serverTest('a Prometheus scrapes it', controlArgs, async (server) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringcast-prometheus-'));
  const port = await freePort();
  writeFileSync(join(folder, 'prometheus.yml'), `
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: ringcast
    static_configs: [{targets: ['127.0.0.1:${controlPort}']}]
`);
  const child = spawn('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, '--log.level=warn',
    `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  child.once('exit', () => rmSync(folder, { recursive: true }));
  process.once('exit', () => child.kill('SIGKILL'));
  atEnd(() => child.kill());
  const ask = (expression) => fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const query = async (expression) => {
    const answer = await ask(expression).catch(() => null);    /* it does not listen yet */
    return answer?.ok ? (await answer.json()).data.result[0]?.value[1] : undefined;
  };
  const peer = await Peer.open(server);
  await until(async () => await query('sum(ringcast_app_connections)') === '1', 'Prometheus to know of the client');
  assert.equal(await query('up{job="ringcast"}'), '1');
  const median = 'histogram_quantile(0.5, sum by (le) (ringcast_turn_seconds_bucket))';
  await until(async () => Number(await query(median)) > 0, 'a quantile of turns');
  for (const expression of [...boardQueries(), ...alertQueries()]) {
    const answer = await (await ask(expression)).json();
    assert.equal(answer.status, 'success', `${expression}: ${answer.error}`);
  }
  await peer.leave();
});

/* --- the manual --------------------------------------------------------------------------------------------------- */

for (const [flag, file] of [['--print-metrics', 'metrics.md'], ['--print-close-codes', 'close-codes.md']]) {
  test(`the manual has the table that ${flag} prints`, async () => {
    const { stdout } = await promisify(execFile)(process.env.RINGCAST, [flag]);
    const manual = readFileSync(join(ROOT, 'deploy', file), 'utf8');
    assert.ok(stdout.split('\n').length > 20, 'a table');
    assert.ok(manual.endsWith(`\n\n${stdout}`), `put what ringcast ${flag} says into deploy/${file}`);
  });
}
