/* tests/e2e/redis.mjs - a Redis or Valkey server of a test's own, and a client for it.
 *
 * The server is the one that deploy/deps --test has got; REDIS_SERVER in the environment names another one. It keeps
 * what it keeps in a temporary folder, and whatever a test leaves behind ends with the test process.
 *
 *     const redis = await startRedis({ config: ['maxmemory 8mb'] });
 *     const client = await redis.connect();
 *     await client.call('SET', 'a', '1');
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIBRARIES, programOf } from './program.mjs';
import { freePort } from './server.mjs';
import { atEnd, Inbox, within } from './support.mjs';

const CONFIG = 'redis.conf';
const READY = /ready to accept connections|Sentinel ID is/i;
const running = new Set();

process.on('exit', () => {
  for (const redis of running) redis.destroy();
});

function program() {
  if (process.env.REDIS_SERVER) return { binary: process.env.REDIS_SERVER, env: process.env };
  return { binary: programOf('redis-server'), env: { ...process.env, LD_LIBRARY_PATH: LIBRARIES } };
}

/* What the server says of itself: { name: 'Redis' or 'Valkey', major, text }. */
export function redisVersion() {
  const { binary, env } = program();
  const { stdout } = spawnSync(binary, ['--version'], { env, encoding: 'utf8' });
  const found = /^(Redis|Valkey) server v=((\d+)\.\S+)/.exec(stdout ?? '');
  if (!found) throw new Error(`${binary} --version says ${JSON.stringify(stdout)}`);
  return { name: found[1], major: Number(found[3]), text: found[2] };
}

/* ---- the server -------------------------------------------------------------------------------------------------- */

/* Starts a server on a free port of loopback and on a socket in its folder, with these lines of configuration behind
 * ours; it keeps nothing on the disk unless they say so. `isSentinel`: a Sentinel. */
export async function startRedis({ config = [], port, isSentinel = false } = {}) {
  const redis = new Redis(port ?? await freePort(), config, isSentinel);
  await redis.start();
  return redis;
}

class Redis {
  #child;
  #output = '';
  #isSentinel;

  constructor(port, config, isSentinel) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), 'ringcast-redis-'));
    this.socket = join(this.folder, 'socket');
    this.#isSentinel = isSentinel;
    const ours = ['bind 127.0.0.1', `port ${port}`, `unixsocket ${this.socket}`, `dir ${this.folder}`, 'daemonize no'];
    const servers = ['save ""', 'appendonly no', 'enable-debug-command yes'];
    const lines = [...ours, ...(isSentinel ? [] : servers), ...config];
    writeFileSync(join(this.folder, CONFIG), `${lines.join('\n')}\n`);
    running.add(this);
    atEnd(() => this.destroy());
  }

  get pid() { return this.#child.pid; }
  get output() { return this.#output; }

  /* Again, after its end: with what it had kept on the disk, or, `isEmpty`, without. Resolves once it answers. */
  async start({ isEmpty = false } = {}) {
    if (isEmpty) this.#forget();
    const { binary, env } = program();
    const args = [join(this.folder, CONFIG), ...(this.#isSentinel ? ['--sentinel'] : [])];
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#child = child;
    this.#output = '';
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => resolve({ error }));
    });
    await within(this.#ready(child), `${binary} to be ready`);
  }

  #ready(child) {
    return new Promise((resolve, reject) => {
      this.ended.then((end) => reject(new Error(`redis ended: ${JSON.stringify(end)}\n${this.#output}`)));
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          this.#output += text;
          if (READY.test(this.#output)) resolve();
        });
      }
    });
  }

  #forget() {
    for (const name of readdirSync(this.folder)) {
      if (name !== CONFIG) rmSync(join(this.folder, name), { recursive: true });
    }
  }

  #end(signal) {
    this.#child.kill(signal);
    return within(this.ended, `redis to end by ${signal}`);
  }

  /* An orderly end, which keeps what the configuration says. */
  stop() { return this.#end('SIGTERM'); }
  kill() { return this.#end('SIGKILL'); }
  /* As if the machine hung: connections stay, and are accepted; nothing is answered until it thaws. */
  freeze() { this.#child.kill('SIGSTOP'); }
  thaw() { this.#child.kill('SIGCONT'); }

  destroy() {
    if (!running.delete(this)) return;
    this.#child?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /* A client of this server; `isBinary`: strings come as Buffers, not as text. */
  connect({ isBinary = false } = {}) { return RedisClient.connect({ port: this.port, host: '127.0.0.1' }, isBinary); }
}

/* ---- the client: RESP2 ------------------------------------------------------------------------------------------- */

/* An error as the server tells it: `code` is its first word. */
export class RedisError extends Error {
  constructor(text) {
    super(text);
    [this.code] = text.split(' ');
  }
}

/* Takes replies from bytes that come in pieces. */
class ReplyReader {
  #bytes = Buffer.alloc(0);
  #at = 0;
  #isBinary;

  constructor(isBinary) { this.#isBinary = isBinary; }

  feed(bytes) {
    this.#bytes = this.#at < this.#bytes.length ? Buffer.concat([this.#bytes.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /* The next reply; undefined: it is not all there. */
  next() {
    const from = this.#at;
    const reply = this.#reply();
    if (reply === undefined) this.#at = from;
    return reply;
  }

  #line() {
    const end = this.#bytes.indexOf('\r\n', this.#at);
    if (end < 0) return undefined;
    const line = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #reply() {
    const line = this.#line();
    if (line === undefined) return undefined;
    const rest = line.slice(1);
    switch (line[0]) {
    case '+': return rest;
    case '-': return new RedisError(rest);
    case ':': return Number(rest);
    case '$': return this.#bulk(Number(rest));
    case '*': return this.#array(Number(rest));
    default: throw new Error(`no reply begins like this: ${JSON.stringify(line)}`);
    }
  }

  #bulk(count) {
    if (count < 0) return null;
    const end = this.#at + count;
    if (this.#bytes.length < end + 2) return undefined;
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end + 2;
    return this.#isBinary ? Buffer.from(bytes) : bytes.toString('utf8');
  }

  #array(count) {
    if (count < 0) return null;
    const items = [];
    while (items.length < count) {
      const item = this.#reply();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
}

const PUSHES = new Set(['message', 'pmessage', 'smessage']);

export class RedisClient {
  #socket;
  #reader;
  #waiters = [];    /* { count, replies, resolve, reject } */
  #error;

  static async connect(address, isBinary) {
    const socket = net.connect({ noDelay: true, ...address });
    await within(once(socket, 'connect'), 'a connection to redis');
    return new RedisClient(socket, isBinary);
  }

  /*   messages   an Inbox of what is published: { channel, data }
   *   strays     an Inbox of what came without being asked for, such as sunsubscribe
   *   ended      resolves once the connection has ended */
  constructor(socket, isBinary) {
    this.#socket = socket;
    this.#reader = new ReplyReader(isBinary);
    this.messages = new Inbox();
    this.strays = new Inbox();
    this.ended = new Promise((resolve) => { socket.once('close', resolve); }).then(() => this.#over());
    socket.on('error', () => {});    /* 'close' follows */
    socket.on('data', (bytes) => {
      this.#reader.feed(bytes);
      for (let reply; (reply = this.#reader.next()) !== undefined;) this.#take(reply);
    });
    atEnd(() => this.close());
  }

  #over() {
    this.#error = new Error('the connection to redis has ended');
    this.messages.end(this.#error);
    this.strays.end(this.#error);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#error);
  }

  #take(reply) {
    const kind = Array.isArray(reply) ? String(reply[0]) : '';
    if (PUSHES.has(kind)) {
      const [channel, data] = reply.slice(-2);
      this.messages.put({ channel: String(channel), data });
      return;
    }
    const [waiter] = this.#waiters;
    if (!waiter) {
      this.strays.put(reply);
      return;
    }
    waiter.replies.push(reply);
    if (waiter.replies.length === waiter.count) this.#waiters.shift().resolve(waiter.replies);
  }

  /* Sends a command; resolves to `count` replies. */
  #send(words, count) {
    if (this.#error) return Promise.reject(this.#error);
    const parts = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    this.#socket.write(Buffer.concat(parts));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ count, replies: [], resolve, reject });
    });
  }

  /* The reply; an error rejects, as a RedisError. Words are text, numbers or Buffers. May be called again at once. */
  async call(...words) {
    const [reply] = await within(this.#send(words, 1), `an answer to ${words[0]}`);
    if (reply instanceof RedisError) throw reply;
    return reply;
  }

  async #subscription(verb, names) {
    const replies = await within(this.#send([verb, ...names], names.length), `an answer to ${verb}`);
    for (const reply of replies) if (reply instanceof RedisError) throw reply;
  }

  subscribe(...names) { return this.#subscription('SUBSCRIBE', names); }
  unsubscribe(...names) { return this.#subscription('UNSUBSCRIBE', names); }
  ssubscribe(...names) { return this.#subscription('SSUBSCRIBE', names); }

  close() { this.#socket.destroy(); }
}
