/* tests/e2e/proxies.test.mjs - the configurations of deploy/proxy, each run by Debian's program: rooms, channels and
 * the HTTP API over wss and https. Nothing in them is changed but addresses and the paths of certificates. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { APP, appArgs, backend, listen, Peer, pusherClient, subscribe } from './channels.mjs';
import { chat } from './chat.mjs';
import { LIBRARIES, programOf, ROOT } from './program.mjs';
import { run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { connectMany, counters, leave, refusal, runClosers, serverTest, until } from './support.mjs';
import { ca, curl, ECDSA, folder, openssl, Tool, trustAuthority } from './tls.mjs';

trustAuthority();
const shipped = (name) => readFileSync(join(ROOT, 'deploy/proxy', name), 'utf8');

function write(name, text) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/* Replaces what has to be there. */
function replaced(text, changes) {
  for (const [from, to] of changes) {
    assert.match(text, new RegExp(from, 'm'));
    text = text.replaceAll(new RegExp(from, 'gm'), () => to);
  }
  return text;
}

function start(name, ...args) {
  const home = join(folder, 'home');
  return new Tool('env', [`LD_LIBRARY_PATH=${LIBRARIES}`, `XDG_DATA_HOME=${home}`, `XDG_CONFIG_HOME=${home}`,
    programOf(name), ...args]);
}

/* ---- the three: at = { port, plainPort, serverPort }, and the otherPort of a second server ---- */

const FILES = { nginx: 'nginx.conf', haproxy: 'haproxy.cfg', caddy: 'Caddyfile' };

/* As each of the files says. */
const trustArgs = (name) => ['--trusted-proxies', /\btrusted_proxies = ([\d.]+\d)/.exec(shipped(FILES[name]))[1]];

function nginx(at) {
  const site = write('nginx/site.conf', replaced(shipped('nginx.conf'), [
    [/^ *listen \[::\]:.*\n/, ''], [/listen 80;/, `listen 127.0.0.1:${at.plainPort};`],
    [/listen 443 ssl;/, `listen 127.0.0.1:${at.port} ssl;`], [/127\.0\.0\.1:8080/, `127.0.0.1:${at.serverPort}`],
    [/\/etc\/letsencrypt\/live\/chat\.example\.com\/fullchain\.pem/, ECDSA.cert],
    [/\/etc\/letsencrypt\/live\/chat\.example\.com\/privkey\.pem/, ECDSA.key],
    [/chat\.example\.com/, 'localhost'],
    ...(at.otherPort ? [[/# server 127\.0\.0\.2:8080;/, `server 127.0.0.1:${at.otherPort};`]] : []),
  ]));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/nginx/${kind};`).join(' ');
  const main = write('nginx/nginx.conf', `daemon off; master_process off; pid ${folder}/nginx/pid; error_log stderr;
    events { worker_connections 1024; } http { access_log off; ${temporary} include ${site}; }`);
  return start('nginx', '-c', main);
}

function haproxy(at) {
  const pem = write('haproxy/all.pem', readFileSync(ECDSA.cert, 'utf8') + readFileSync(ECDSA.key, 'utf8'));
  const file = write('haproxy/haproxy.cfg', replaced(shipped('haproxy.cfg'), [
    [/bind :80$/, `bind 127.0.0.1:${at.plainPort}`], [/bind :443/, `bind 127.0.0.1:${at.port}`],
    [/crt \S+/, `crt ${pem}`], [/server ringcast1 127\.0\.0\.1:8080/, `server ringcast1 127.0.0.1:${at.serverPort}`],
    [/server certbot 127\.0\.0\.1:8888/, `server certbot 127.0.0.1:${at.certbotPort}`],
    [/^ *maxconn 40000$/, ''],    /* it wants as many descriptors */
    ...(at.otherPort ? [[/# server ringcast2 127\.0\.0\.2:8080/, `server ringcast2 127.0.0.1:${at.otherPort}`]] : []),
  ]));
  return start('haproxy', '-db', '-f', file);
}

function caddy(at) {
  const file = write('caddy/Caddyfile', `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${
    replaced(shipped('Caddyfile'), [
      [/^chat\.example\.com \{$/, `localhost:${at.port}, 127.0.0.1:${at.port} {\n\ttls ${ECDSA.cert} ${ECDSA.key}`],
      [/reverse_proxy 127\.0\.0\.1:8080/, `reverse_proxy 127.0.0.1:${at.serverPort}`],
    ])}`);
  return start('caddy', 'run', '--adapter', 'caddyfile', '--config', file);
}

/* ---- what they carry ---- */

function isOpen(port) {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); done(true); });
    socket.on('error', () => done(false));
  });
}

async function begun(proxy, at) {
  let hasEnded = false;
  proxy.ended.then(() => { hasEnded = true; });
  await until(async () => hasEnded || isOpen(at.port), 'the proxy').catch(() => {});
  assert.ok(!hasEnded && await isOpen(at.port), proxy.output);
}

async function channelsThrough(secure) {
  const client = pusherClient(secure);
  const heard = listen(await subscribe(client, 'private-news'), 'ev');
  await backend(secure).trigger('private-news', 'ev', { text: 'x'.repeat(9000) });
  assert.equal((await heard.next()).text.length, 9000);
  const channels = await (await backend(secure).get({ path: '/channels' })).json();
  assert.deepEqual(Object.keys(channels.channels), ['private-news']);
}

/* The proxy, with these further ports, and the server as it is through that. */
async function inFrontOf(server, name, proxyOf, more) {
  const at = { port: await freePort(), plainPort: await freePort(), serverPort: server.port, ...more };
  const proxy = proxyOf(at);
  await begun(proxy, at);
  const url = `https://127.0.0.1:${at.port}`, authority = openssl('x509', '-in', ca.cert);
  const secure = { ...server, port: at.port, url, ca: authority };
  await until(async () => /^HTTP\/[\d.]+ 200/.test((await curl(secure, '/up')).output), `/up through ${name}`);
  return { at, proxy, secure };
}

for (const [name, proxyOf] of Object.entries({ nginx, haproxy, caddy })) {
  const args = [...appArgs('tls_only=yes'), ...trustArgs(name)];
  serverTest(`${name}: rooms, channels and the HTTP API`, args, async (server) => {
    const certbot = http.createServer((request, response) => response.end('token')).listen(0, '127.0.0.1');
    await once(certbot, 'listening');
    const { at, proxy, secure } = await inFrontOf(server, name, proxyOf, { certbotPort: certbot.address().port });
    await chat(`wss://127.0.0.1:${at.port}/room/a`, { ca: secure.ca, servername: 'localhost' });
    await channelsThrough(secure);
    assert.equal((await Peer.refused(server, `/app/${APP.key}?protocol=7`)).code, 4000, 'not through the proxy');
    if (name !== 'caddy') {
      const { status, headers } = await fetch(`http://localhost:${at.plainPort}/x`, { redirect: 'manual' });
      assert.equal(status, 301);
      assert.match(headers.get('location'), /^https:\/\/localhost/);
    }
    if (name === 'haproxy') {
      const challenge = `http://localhost:${at.plainPort}/.well-known/acme-challenge/x`;
      const asked = await fetch(challenge, { redirect: 'manual' });
      assert.deepEqual([asked.status, await asked.text()], [200, 'token'], 'certbot renews through it');
    }
    certbot.close();
    proxy.child.kill('SIGTERM');
    await proxy.done();
  });
}

/* Whom it has keeps the one in its drain. */
const drains = (server) => refusal(server, '/').then(({ status }) => status === 503, () => false);

for (const [name, proxyOf] of Object.entries({ nginx, haproxy })) {
  serverTest(`${name}: who comes while one of two servers drains, or has ended, is let in by the other`,
    [...trustArgs(name), '--drain-ms', '3s'], async (server) => {
      const other = await startServer(trustArgs(name));
      try {
        const { proxy, secure } = await inFrontOf(server, name, proxyOf,
          { otherPort: other.port, certbotPort: await freePort() });
        const stay = await connectMany(server, 8);
        const before = await connectMany(secure, 8);
        assert.ok(before.length === 8 && (await counters(other)).connections_open > 0, 'both are in use');
        process.kill(server.pid, 'SIGTERM');
        await until(async () => await drains(server), 'it to drain', { poll: 20 });
        const newcomers = await connectMany(secure, 16);
        assert.ok(stay.some((client) => client.readyState === client.OPEN), 'it drains still');
        await Promise.all(stay.map((client) => client.ended));
        await server.ended;
        newcomers.push(...await connectMany(secure, 16));
        await leave(...newcomers);
        proxy.child.kill('SIGTERM');
        await proxy.done();
        runClosers();
        assert.equal((await other.stop()).code, 0);
        return server.ended;
      } finally {
        await other.kill();
      }
    });
}

for (const [name, proxyOf] of Object.entries({ nginx, haproxy })) {
  test(`${name}: after a 503 another server is asked, but no publish twice`, async () => {
    const asked = [];
    const servers = [0, 1].map(() => http.createServer((request, response) => {
      if (request.url !== '/up') asked.push(request.method);
      response.writeHead(request.url === '/up' ? 200 : 503).end('no\n');
    }).listen(0, '127.0.0.1'));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const [port, otherPort] = servers.map((server) => server.address().port);
    const { proxy, secure } = await inFrontOf({ port }, name, proxyOf, { otherPort, certbotPort: await freePort() });
    for (const method of ['POST', 'GET']) {
      const to = { port: secure.port, host: '127.0.0.1', ca: secure.ca, servername: 'localhost', agent: false };
      const sent = https.request({ ...to, method, path: '/apps/1/x' }).end(method === 'POST' ? '{}' : undefined);
      const [answer] = await once(sent, 'response');
      answer.resume();
      assert.ok(answer.statusCode >= 500);
    }
    assert.deepEqual(asked.slice(0, 3), ['POST', 'GET', 'GET']);
    proxy.child.kill('SIGTERM');
    await proxy.done();
    for (const server of servers) server.close().closeAllConnections();
  });
}

test('what they wait for is longer than the silence that ringcast allows, and they drop connections before it does',
  async () => {
    const sample = (await run(['--print-sample-config'])).stdout;
    const secondsOf = (option) => Number(new RegExp(`^#${option} = (\\d+)s$`, 'm').exec(sample)[1]);
    const silence = secondsOf('ping_ms') * 1.1 + secondsOf('pong_ms_max'), kept = secondsOf('keep_alive_ms');
    const all = [
      ['nginx.conf', /proxy_read_timeout (\d+)s;/, /keepalive_timeout (\d+)s;/],
      ['haproxy.cfg', /timeout tunnel +(\d+)s/, /timeout http-keep-alive +(\d+)s/],
      ['Caddyfile', undefined, /keepalive (\d+)s/],
    ];
    for (const [name, idle, keeps] of all) {
      if (idle) assert.ok(Number(idle.exec(shipped(name))[1]) > silence, name);
      assert.ok(Number(keeps.exec(shipped(name))[1]) < kept, name);
    }
  });
