/* tests/e2e/cluster_nodes.mjs - what the tests of several nodes share: nodes on one Redis that may be killed and come
 * back, a reader that stays with the cluster whatever happens to its node, a publisher who does not give up. */

import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { appArgs, APP } from './channels.mjs';
import { Backend, newKey } from './kept.mjs';
import { freePort, startServer } from './server.mjs';
import { atEnd, until, webSocketUrl } from './support.mjs';

const RETURN_MS = 200;    /* at most, at random, before a reader or a publisher tries another node */

export const redisArgs = (redis) => ['--redis', `redis://127.0.0.1:${redis.port}`];

/* What a node says at /health of itself and of its Redis. */
export async function health(node) {
  const response = await fetch(`${node.url}/health`);
  return { status: response.status, cluster: (await response.json()).cluster };
}

export const untilHealth = (node, status, text) =>
  until(async () => {
    const now = await health(node);
    return now.status === status && text.test(now.cluster) ? now : null;
  }, `/health to be ${status} and to say ${text}`);

/* A node that keeps its port through its lives. */
export class Node {
  constructor(redis, args, settings) {
    this.args = [...appArgs(settings), '--shards', '2', ...redisArgs(redis), ...args];
    atEnd(() => this.kill());
  }

  get isUp() { return this.server !== undefined && !this.isFrozen; }
  get port() { return this.server.port; }
  get url() { return this.server.url; }
  get pid() { return this.server.pid; }

  async start() {
    this.knownPort ??= await freePort();
    this.server = await startServer(this.args, { port: this.knownPort });
    return this;
  }

  async #end(how) {
    const server = this.server;
    this.server = undefined;
    this.isFrozen = false;
    return server?.[how]();
  }

  kill() { return this.#end('kill'); }
  /* The exit, and what it wrote. */
  async stop() {
    const server = this.server;
    return { end: await this.#end('stop'), stderr: server.stderr() };
  }

  freeze() {
    this.isFrozen = true;
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw() {
    if (this.server === undefined) return;
    process.kill(this.pid, 'SIGCONT');
    this.isFrozen = false;
  }
}

/* `settings`: of the app. */
export function startNodes(redis, count, args = [], settings = '') {
  return Promise.all(Array.from({ length: count }, () => new Node(redis, args, settings).start()));
}

const oneOf = (nodes, random) => {
  const up = nodes.filter(({ isUp }) => isUp);
  return up[random(up.length || 1)];
};

/* Reads one channel by the plain protocol, with resume, and tells the judge's reader what comes. When its connection
 * ends it goes to another node. */
export class ChannelReader {
  #socket;
  #isOver = false;
  #position = null;
  #nodes;
  #random;
  #notes;

  constructor(nodes, random, notes) {
    this.#nodes = nodes;
    this.#random = random;
    this.#notes = notes;
    this.returns = 0;
    atEnd(() => this.end());
    this.#connect();
  }

  get position() { return this.#position; }
  get isIn() { return this.#socket?.isIn === true; }

  /* As a line that breaks: nothing is said. */
  cut() { this.#socket?.terminate(); }

  end() {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  async #connect() {
    if (this.#isOver) return;
    const node = oneOf(this.#nodes, this.#random);
    if (node === undefined) {
      this.#comeBack();
      return;
    }
    const socket = new WebSocket(webSocketUrl(node, `/app/${APP.key}?protocol=7`), { handshakeTimeout: 5000 });
    this.#socket = socket;
    socket.on('message', (bytes) => this.#take(socket, JSON.parse(bytes)));
    socket.on('error', () => {});    /* 'close' follows */
    socket.on('close', () => this.#comeBack());
  }

  #comeBack() {
    setTimeout(() => this.#connect(), this.#random(RETURN_MS)).unref();
  }

  #take(socket, { event, data, offset, epoch }) {
    if (this.#isOver) return;
    const payload = typeof data === 'string' && event.startsWith('pusher') ? JSON.parse(data) : data;
    if (event === 'pusher:connection_established') {
      const recover = this.#position ?? true;
      socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: this.#notes.channel, recover } }));
    } else if (event === 'pusher:ping') {
      socket.send(JSON.stringify({ event: 'pusher:pong' }));
    } else if (event === 'pusher:subscription_error') {
      socket.terminate();
    } else if (payload?.recovered !== undefined) {    /* the answer to the subscription, or the channel's log is lost */
      socket.isIn = true;
      this.returns += 1;
      const isGap = payload.recovered === false && this.#position !== null;
      if (isGap) this.#notes.told();
      const told = payload.epoch === undefined ? null : { epoch: payload.epoch, offset: payload.offset };
      if (this.#position === null || isGap) this.#position = told;
    } else if (offset !== undefined) {
      this.#position = { epoch, offset };
      this.#notes.got(this.#position, data);
    }
  }
}

/* Publishes with a key, at one node after the other, until one of them has said where it went. False: it was over
 * before that, and nobody knows. */
export async function publishSurely(nodes, random, channel, data, isOver) {
  const key = newKey();
  while (!isOver()) {
    const node = oneOf(nodes, random);
    if (node !== undefined) {
      const backend = new Backend(node);
      const body = { name: 'ev', channel, data, info: 'position', idempotency_key: key };
      const answer = await backend.call('POST', '/events', { body }).catch(() => null);
      backend.close();
      if (answer?.status === 200) return answer.body.channels[channel];
      if (answer !== null && answer.status !== 503) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    await sleep(random(RETURN_MS));
  }
  return false;
}
