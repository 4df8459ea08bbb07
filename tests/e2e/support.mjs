/* tests/e2e/support.mjs - what the end-to-end tests share: a test with a server of its own, waiting with a limit, npm's
 * `ws` client with an inbox, the server's counters.
 *
 * No test measures time. Each wait has a limit, generous because the server under test is slowed down by sanitizers and
 * the machine may be busy; running into it is a failure that says what was waited for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { startServer } from './server.mjs';

/* RINGCAST_LONG=1 in the environment, which `deploy/test --long` sets: tests take their full size. */
const IS_LONG = process.env.RINGCAST_LONG === '1';

/* How much of something a test does: `usual` in each run of the tests, `full` in the long one. */
export function sized(usual, full) {
  return IS_LONG ? full : usual;
}

export const WAIT_MS = 30_000;
const TEST_MS = sized(150_000, 3_600_000);
const POLL_MS = 20;
/* Subscribers, bytes to send, connections that ended without a reason. */
const NOTHING_OF = ['subscriptions', 'outbox_bytes', 'closed_none'];
const BAD_LINE = /.*(Sanitizer|runtime error:|Z error |Assertion).*/;

export { sleep };

/* What the test in progress has opened and may leave open: closed when its body is done, for the server would wait for
 * those who do not say goodbye. */
const closers = [];

export function atEnd(closer) {
  closers.push(closer);
}

export function runClosers() {
  for (const closer of closers.splice(0)) closer();
}

/* A test with a server of its own, started with serverArgs, or with what they resolve to if they are a function.
 * Whatever the test did, the server must end well: with this exit code, no report of a sanitizer, no line of level
 * error but those that are `expected`, and NOTHING_OF this. A body that has ended the server itself returns
 * server.ended. */
export function serverTest(title, serverArgs, body, { exitCode = 0, expected } = {}) {
  test(title, { timeout: TEST_MS }, async () => {
    const server = await startServer(typeof serverArgs === 'function' ? await serverArgs() : serverArgs);
    try {
      const ending = await body(server);
      runClosers();
      const end = ending ?? await within(server.stop(), 'the server to stop');
      assert.deepEqual(end, { code: exitCode, signal: null }, server.stderr());
      assertQuiet(server.stderr(), expected);
      for (const name of NOTHING_OF) assert.equal(lastCounters(server)[name], 0, name);
    } finally {
      runClosers();
      await server.kill();
    }
  });
}

/* `expected`: a pattern of lines that are no surprise. */
export function assertQuiet(stderr, expected = /$^/) {
  const surprises = stderr.split('\n').filter((line) => BAD_LINE.test(line) && !expected.test(line));
  assert.deepEqual(surprises, []);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

export function within(promise, what, limit = WAIT_MS) {
  let timer;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms in vain for ${what}`)), limit);
  });
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer));
}

/* Resolves to the predicate's first true value; the predicate may be asynchronous. */
export async function until(predicate, what, { limit = WAIT_MS, poll = POLL_MS } = {}) {
  for (const end = Date.now() + limit; ;) {
    const value = await predicate();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain for ${what}`);
    await sleep(poll);
  }
}

/* Things that come, in order, and those who wait for them. */
export class Inbox {
  #items = [];
  #waiters = [];
  #end;

  put(item) {
    if (this.#waiters.length > 0) this.#waiters.shift().resolve(item);
    else this.#items.push(item);
  }

  /* Nothing comes any more: who waits for something gets this error. */
  end(error) {
    this.#end ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#end);
  }

  get count() { return this.#items.length; }

  next(what = 'an item') {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    if (this.#end) return Promise.reject(this.#end);
    return within(new Promise((resolve, reject) => { this.#waiters.push({ resolve, reject }); }), what);
  }

  async take(count, what) {
    const items = [];
    while (items.length < count) items.push(await this.next(what));
    return items;
  }
}

/* --- chance ------------------------------------------------------------------------------------------------------- */

export const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

/* Numbers below their limit, the same ones from the same seed: Marsaglia's xorshift. */
export function randomFrom(seed) {
  let state = (seed * 2654435761 >>> 0) || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/* --- clients ------------------------------------------------------------------------------------------------------ */

/* Over TLS, if the server is one that tls.mjs made. */
export function webSocketUrl(server, path) {
  return `${server.url.replace('http', 'ws')}${path}`;
}

/* An open `ws` client, with
 *   inbox    the messages: text as string, binary as Buffer
 *   pings    how many came; pongs are answered by `ws` unless options say autoPong: false
 *   ended    resolves to { code, reason } of the close; `ws` says 1006 when there was no close frame */
export async function connect(server, path = '/', { protocols = [], limit, ...options } = {}) {
  const client = new WebSocket(webSocketUrl(server, path), protocols,
    { maxPayload: 1 << 27, ca: server.ca, ...options });
  client.inbox = new Inbox();
  client.pings = 0;
  client.on('message', (data, isBinary) => client.inbox.put(isBinary ? data : data.toString()));
  client.on('ping', () => { client.pings += 1; });
  client.ended = new Promise((resolve) => {
    client.once('close', (code, reason) => {
      client.inbox.end(new Error(`closed with ${code} ${reason}`));
      resolve({ code, reason: reason.toString() });
    });
  });
  await within(new Promise((resolve, reject) => {
    client.once('open', resolve);
    client.once('error', reject);
  }), 'a WebSocket to open', limit);
  client.on('error', () => {});    /* `ended` tells */
  return client;
}

export function connectMany(server, count, path, options) {
  return Promise.all(Array.from({ length: count }, () => connect(server, path, options)));
}

/* Says goodbye and waits for the answer. */
export async function leave(...clients) {
  for (const client of clients) client.close(1000);
  return within(Promise.all(clients.map((client) => client.ended)), 'the answer to a close');
}

/* The status and headers with which the server refuses a WebSocket. */
export function refusal(server, path, options = {}) {
  return within(new Promise((resolve, reject) => {
    const client = new WebSocket(webSocketUrl(server, path), { ca: server.ca, ...options });
    client.once('unexpected-response', (request, answer) => {
      resolve({ status: answer.statusCode, headers: answer.headers });
      request.destroy();
    });
    client.once('open', () => reject(new Error(`${path} was not refused`)));
    client.once('error', reject);
  }), 'a refusal');
}

/* --- counters ----------------------------------------------------------------------------------------------------- */

const COUNTERS_PAUSE_MS = 1100;
const COUNTERS_BEGIN = 'counters: connections_accepted=';

/* The blocks of counters in the log so far, the last one perhaps not whole. A block begins with the first counter of
 * the table, which is never 0 once somebody has connected; counters that are 0 are not logged. */
function counterBlocks(stderr) {
  const blocks = [];
  for (const line of stderr.split('\n').slice(0, -1)) {
    const at = line.indexOf('counters: ');
    if (at < 0) continue;
    if (line.startsWith(COUNTERS_BEGIN, at)) blocks.push(new Map());
    for (const item of line.slice(at + 'counters: '.length).split(' ')) {
      const [name, value] = item.split('=');
      blocks.at(-1)?.set(name, Number(value));
    }
  }
  return blocks;
}

function withZeros(block) {
  return new Proxy({}, { get: (_, name) => block.get(name) ?? 0 });
}

/* The counters now, as an object in which what is not there is 0. A block is whole when the next one begins, so two are
 * asked for; not oftener than once a second, because the log holds back what one place says more than ten times in it.
 * Somebody must have connected before. */
export async function counters(server) {
  const pause = (server.countersAskedAt ?? 0) + COUNTERS_PAUSE_MS - Date.now();
  if (pause > 0) await sleep(pause);
  server.countersAskedAt = Date.now();
  const before = counterBlocks(server.stderr()).length;
  for (const count of [1, 2]) {
    process.kill(server.pid, 'SIGUSR1');
    await until(() => counterBlocks(server.stderr()).length >= before + count, 'the counters in the log');
  }
  return withZeros(counterBlocks(server.stderr())[before]);
}

/* Of a server that has ended: what it counted in the end. */
export function lastCounters(server) {
  return withZeros(counterBlocks(server.stderr()).at(-1) ?? new Map());
}

/* Asks for the counters until they are as wanted, and returns them. */
export function untilCounters(server, isAsWanted, what) {
  return until(async () => {
    const now = await counters(server);
    return isAsWanted(now) ? now : null;
  }, what);
}

const OF_SOMEBODY = [
  'connections_open', 'subscriptions', 'channels', 'messages_live', 'outbox_bytes', 'letters_waiting',
];

/* Nothing of any client is left. */
export function untilNobody(server) {
  return untilCounters(server, (now) => OF_SOMEBODY.every((gauge) => now[gauge] === 0), `${OF_SOMEBODY} to be 0`);
}
