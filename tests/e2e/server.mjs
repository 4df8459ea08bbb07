/* tests/e2e/server.mjs - starts the server under test (environment variable RINGCAST, an absolute path) on a free
 * loopback port and waits for its ready line. A server that a test leaves behind dies with the test process. */

import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';

const READY = /listening on http:\/\/\S+:(\d+)/;
const READY_WITHIN_MS = 15_000;
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/* Where the kernel takes none for those to whom any port is right: a test that listens on port 0, or an outgoing
 * connection, could have a server's before it listens or while it starts again. Most servers of the machine are below
 * the first of these, and so are all ports that browsers refuse. */
const ports = (() => {
  const [least, most] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
  const [below, above] = [{ first: 10_081, last: least - 1 }, { first: most + 1, last: 65_535 }];
  const wider = below.last - below.first > above.last - above.first ? below : above;
  return wider.last > wider.first ? wider : { first: 10_081, last: 65_535 };
})();

/* Another one each time; processes begin at random. */
let nextPort = randomInt(ports.first, ports.last + 1);

async function isFree(port) {
  const probe = net.createServer();
  try {
    await once(probe.listen(port), 'listening');
  } catch ({ code }) {
    if (code === 'EADDRINUSE') return false;
    throw new Error(`cannot listen on port ${port}: ${code}`);
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

/* A port that was free a moment ago, and that no connection takes. */
export async function freePort() {
  for (;;) {
    const port = nextPort;
    nextPort = port < ports.last ? port + 1 : ports.first;
    if (await isFree(port)) return port;
  }
}

/* Starts the server with further arguments. Resolves once it listens; rejects, with what it wrote, when it ends before
 * that or takes too long. `port` serves to start again where an earlier server was, `binary` to start another program,
 * with the words `before` ours.
 *   stop()    SIGTERM, resolves to { code, signal } of the exit
 *   kill()    SIGKILL, the same
 *   ended     resolves to the same once it has ended, whoever ended it
 *   stderr()  what it has written to stderr so far */
export async function startServer(args = [], { port, binary = process.env.RINGCAST, before = [] } = {}) {
  if (!binary) throw new Error('set RINGCAST to the absolute path of the server binary');
  const listenPort = port ?? await freePort();
  const { RINGCAST_LONG: _, ...env } = process.env;    /* it is the tests', and no option */
  const child = spawn(binary, [...before, '--listen', `127.0.0.1:${listenPort}`, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env });
  running.add(child);
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  const written = { stdout: '', stderr: '' };
  await ready(child, written);
  const end = (signal) => {
    child.kill(signal);
    return ended;
  };
  return {
    port: listenPort,
    url: `http://127.0.0.1:${listenPort}`,
    pid: child.pid,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    ended,
    stderr: () => written.stderr,
  };
}

function ready(child, written) {
  return new Promise((resolve, reject) => {
    const fail = (why) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${why}\n${written.stdout}${written.stderr}`));
    };
    const timer = setTimeout(() => fail(`no ready line within ${READY_WITHIN_MS} ms`), READY_WITHIN_MS);
    child.once('error', (error) => fail(`cannot start the server: ${error.message}`));
    const endedEarly = (code, signal) => fail(`the server ended before it was ready (${signal ?? code})`);
    child.once('exit', endedEarly);
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => {
        written[name] += text;
        if (!READY.test(written[name])) return;
        clearTimeout(timer);
        child.off('exit', endedEarly);
        resolve();
      });
    }
  });
}
