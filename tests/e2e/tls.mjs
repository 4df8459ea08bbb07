/* tests/e2e/tls.mjs - what the tests of TLS share: certificates made with openssl, a test whose server also has a TLS
 * address, and the tools of others run against it (openssl s_client, gnutls-cli, curl).
 *
 * Clients check the server's certificate wherever they can. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { atEnd, serverTest, until, within } from './support.mjs';
import { freePort } from './server.mjs';

/* --- certificates ------------------------------------------------------------------------------------------------- */

export const folder = mkdtempSync(join(tmpdir(), 'ringcast-tls-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

export const pathOf = (name) => join(folder, name);
const config = pathOf('openssl.cnf');
writeFileSync(config, '[req]\ndistinguished_name=dn\n[dn]\n');

export function openssl(...args) {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

const KINDS = {
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  p384: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'],
  rsa: ['-newkey', 'rsa:2048'],
  rsa1024: ['-newkey', 'rsa:1024'],
  rsa4096: ['-newkey', 'rsa:4096'],
  ed25519: ['-newkey', 'ed25519'],
};

/* Makes NAME.pem and NAME.key: { name, cert, key, serial }. `names` as in subjectAltName; issued by `issuer`, else by
 * itself; `days` -1: expired since yesterday. */
export function makePair(name, { kind = 'ecdsa', names, issuer, isAuthority = false, days = 90 } = {}) {
  const pair = { name, cert: pathOf(`${name}.pem`), key: pathOf(`${name}.key`) };
  const extensions = [`basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}`];
  if (names) extensions.push(`subjectAltName=${names}`);
  const signed = issuer ? ['-CA', issuer.cert, '-CAkey', issuer.key] : [];
  openssl('req', '-x509', '-config', config, ...KINDS[kind], '-nodes', '-subj', `/CN=${name}`,
    '-days', String(Math.max(days, 1)), '-keyout', pair.key, '-out', pair.cert,
    ...extensions.flatMap((extension) => ['-addext', extension]), ...signed);
  if (days < 1) {
    const csr = pathOf(`${name}.csr`), copy = ['-copy_extensions', 'copy'];
    openssl('x509', '-x509toreq', ...copy, '-in', pair.cert, '-signkey', pair.key, '-out', csr);
    openssl('x509', '-req', ...copy, '-in', csr, '-days', String(days), '-out', pair.cert, ...signed);
  }
  pair.serial = openssl('x509', '-in', pair.cert, '-noout', '-serial').trim().split('=')[1];
  return pair;
}

export const HERE = 'DNS:localhost,IP:127.0.0.1';
export const ca = makePair('ca', { isAuthority: true });
const made = new Map();

/* Makes a pair of the test's own authority when it is first asked for. */
export function pairOf(name, options = {}) {
  if (!made.has(name)) made.set(name, makePair(name, { names: HERE, issuer: ca, ...options }));
  return made.get(name);
}

/* A leaf and the intermediate that issued it, in one file, as every issuer hands them out. */
export function chainPair() {
  const intermediate = pairOf('intermediate', { isAuthority: true, names: undefined });
  const leaf = pairOf('leaf', { issuer: intermediate });
  const cert = pathOf('chain.pem');
  writeFileSync(cert, openssl('x509', '-in', leaf.cert) + openssl('x509', '-in', intermediate.cert));
  return { ...leaf, name: 'chain', cert };
}

export const ECDSA = pairOf('ecdsa');

export function pairArgs(...pairs) {
  return pairs.flatMap(({ cert, key }) => ['--tls-cert', cert, '--tls-key', key]);
}

/* --- servers ------------------------------------------------------------------------------------------------------ */

/* The TLS address of a server, for all who take a server for its port. */
function secured(server, port) {
  return {
    ...server, port, url: `https://127.0.0.1:${port}`, ca: openssl('x509', '-in', ca.cert), plainPort: server.port,
  };
}

/* A test with a server that listens with and without TLS, once for each number of shards:
 *   pairs    its certificates
 *   args     further arguments, or a function that resolves to them
 * The body gets the server and, the same with the port and URL of its TLS address, the secure one. */
export function tlsTest(title, { shards = [1, 4], pairs = [ECDSA], args = [], ...options }, body) {
  for (const count of shards) {
    let port;
    const allArgs = async () => {
      port = await freePort();
      const further = typeof args === 'function' ? await args() : args;
      return ['--tls-listen', `127.0.0.1:${port}`, ...pairArgs(...pairs), '--shards', count, ...further];
    };
    serverTest(`${title}, on ${count} shards`, allArgs, (server) => body(server, secured(server, port)), options);
  }
}

/* --- the tools of others ------------------------------------------------------------------------------------------ */

/* A command under way.
 *   output    what it has written to stdout and stderr so far
 *   ended     resolves to its exit code */
export class Tool {
  constructor(command, args) {
    this.command = [command, ...args].join(' ');
    this.output = '';
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    for (const name of ['stdout', 'stderr']) {
      this.child[name].setEncoding('latin1').on('data', (text) => { this.output += text; });
    }
    this.child.stdin.on('error', () => {});    /* it has ended: `ended` tells */
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal);
    atEnd(() => this.child.kill('SIGKILL'));
  }

  write(text) { this.child.stdin.write(text); }

  end() { this.child.stdin.end(); }

  /* Waits until it has written this. */
  async says(pattern) {
    const isOver = this.ended.then(() => true);
    let hasEnded = false;
    isOver.then(() => { hasEnded = true; });
    await until(() => pattern.test(this.output) || hasEnded, `${pattern}`).catch((error) => {
      throw new Error(`${error.message} of ${this.command}:\n${this.output}`);
    });
    if (!pattern.test(this.output)) throw new Error(`${this.command} ended without ${pattern}:\n${this.output}`);
  }

  /* Waits for its end: { code, output }. */
  async done() {
    const code = await within(this.ended, `the end of ${this.command}`).catch((error) => {
      this.child.kill('SIGKILL');
      throw new Error(`${error.message}:\n${this.output}`);
    });
    return { code, output: this.output };
  }
}

/* Runs a command to its end, which comes by itself. */
export function run(command, ...args) {
  const tool = new Tool(command, args);
  tool.end();
  return tool.done();
}

export const GET_UP = 'GET /up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
export const KEPT_UP = GET_UP.replace('Connection: close\r\n', '');

/* openssl s_client that stays until the server ends; with -no_ign_eof it takes orders: R, Q. */
export function sClient(server, ...args) {
  return new Tool('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`, '-CAfile', ca.cert,
    ...(args.includes('-servername') || args.includes('-noservername') ? [] : ['-servername', 'localhost']),
    ...(args.includes('-no_ign_eof') ? [] : ['-ign_eof']), ...args]);
}

/* The same, asking for /up once; to its end. */
export function sClientAsks(server, ...args) {
  const tool = sClient(server, ...args);
  tool.write(GET_UP);
  return tool.done();
}

/* gnutls-cli, asking for /up once; to its end. */
export function gnutlsAsks(server, ...args) {
  const tool = new Tool('gnutls-cli', ['--x509cafile', ca.cert, '--port', String(server.port), ...args, 'localhost']);
  tool.write(GET_UP);
  return tool.done();
}

/* curl, its answer on stdout and its words on stderr in one output. */
export function curl(server, path, ...args) {
  return run('curl', '-sS', '-i', '--cacert', ca.cert, '--max-time', '60', ...args,
    `https://localhost:${server.port}${path}`);
}

/* --- node's own TLS ----------------------------------------------------------------------------------------------- */

/* A TLS socket of node, connected. */
export async function tlsSocket(server, options = {}) {
  const { port, ca: authority } = server;
  const socket = tls.connect({ host: '127.0.0.1', servername: 'localhost', port, ca: authority, ...options });
  socket.on('error', () => {});
  atEnd(() => socket.destroy());
  await within(new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before the handshake was done')));
  }), 'a TLS handshake');
  return socket;
}

/* For packages that cannot be told whom to trust: from now on this process trusts the authority of the tests. */
export function trustAuthority() {
  const { createSecureContext } = tls;
  const authority = openssl('x509', '-in', ca.cert);
  tls.createSecureContext = (options) => createSecureContext({ ...options, ca: options?.ca ?? authority });
}

/* The serial number of the certificate that a newcomer is shown. */
export async function serialOf(server, options) {
  const socket = await tlsSocket(server, options);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

const UPGRADE = 'GET /room/herd HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
  + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/* That many who want in: they come spread over spreadMs, with a session to resume if one is given, say their
 * upgrade behind the handshake, and wait patienceMs. Those who got in stay until all have, or have given up, and
 * whenAllIn is called. How many were let in, and how many not? */
export async function herd({ port }, count, { spreadMs, patienceMs, session, whenAllIn = () => {} }) {
  const secureContext = tls.createSecureContext();
  const tally = { open: 0, lost: 0 };
  const comeOne = (resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port, secureContext, session, rejectUnauthorized: false });
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    let answer = '';
    const settle = (how) => {
      if (timer.isSettled) return;
      clearTimeout(timer);
      timer.isSettled = true;
      tally[how] += 1;
      resolve(socket);
    };
    socket.on('error', () => {});
    socket.once('close', () => settle('lost'));
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.startsWith('HTTP/1.1 101')) settle('open');
    });
    socket.write(UPGRADE);
  };
  const sockets = await Promise.all(Array.from({ length: count }, (_, i) => new Promise((resolve) => {
    setTimeout(comeOne, spreadMs * i / count, resolve);
  })));
  whenAllIn();
  for (const socket of sockets) socket.destroy();
  return tally;
}

/* All that a socket says until its end. */
export function textUntilEnd(socket) {
  const chunks = [];
  socket.on('data', (bytes) => chunks.push(bytes));
  return within(once(socket, 'end').then(() => Buffer.concat(chunks).toString()), 'the end of a TLS session');
}
