/* tests/e2e/kept.mjs - what the tests of kept messages share: directories, the whole history of a channel, publishing
 * over a connection that stays, a reader that comes back and takes stock. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { APP, channelAuth, signedTarget } from './channels.mjs';
import { until, webSocketUrl, within } from './support.mjs';

const PAGE = 1000;
const USERS = { user_info: { from: 'kept.mjs' } };

/* --- directories -------------------------------------------------------------------------------------------------- */

const parents = [];

process.on('exit', () => {
  for (const parent of parents) rmSync(parent, { recursive: true, force: true });
});

/* A directory that does not exist yet, in one that goes with this process. */
export function dataDir() {
  const parent = mkdtempSync(join(tmpdir(), 'ringcast-e2e-'));
  parents.push(parent);
  return join(parent, 'data');
}

export const durableArgs = (directory, settings = '') => [
  '--data-dir', directory, '--history', `* durable=yes client_events=yes ${settings}`.trimEnd()];

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* Signed requests over connections that stay open, as many as there are requests at a time. */
export class Backend {
  constructor(server) {
    this.server = server;
    this.agent = new http.Agent({ keepAlive: true });
  }

  /* Resolves to { status, headers, body }; rejects when the server is gone. */
  async call(method, path, { body = '', params } = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const target = signedTarget(method, `/apps/${APP.id}${path}`, { body: text, params });
    return within(new Promise((resolve, reject) => {
      const outgoing = http.request({
        agent: this.agent, host: '127.0.0.1', port: this.server.port, method, path: target,
        headers: text.length > 0
          ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {},
      }, (incoming) => {
        const chunks = [];
        incoming.on('data', (chunk) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const whole = Buffer.concat(chunks).toString();
          const isJson = incoming.headers['content-type'] === 'application/json';
          resolve({ status: incoming.statusCode, headers: incoming.headers, body: isJson ? JSON.parse(whole) : whole });
        });
      });
      outgoing.on('error', reject).end(text);
    }), `the answer to ${method} ${path}`);
  }

  /* The position of what was published; with a key it is tried again when the server has too much to do. */
  async publish(channel, data, { name = 'ev', key } = {}) {
    const body = { name, channel, data, info: 'position', idempotency_key: key };
    const answer = await until(async () => {
      const tried = await this.call('POST', '/events', { body });
      return key !== undefined && tried.status === 503 ? null : tried;
    }, `${channel} to take a message`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.channels[channel];
  }

  async page(channel, params) {
    const texts = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
    const { status, body } = await this.call('GET', `/channels/${channel}/history`, { params: texts });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /* All that is kept behind an offset: { epoch, offset, items }, read by pages. */
  async history(channel, since = 0) {
    const items = [];
    for (let at = since; ;) {
      const page = await this.page(channel, { since: at, limit: PAGE });
      items.push(...page.items);
      if (!page.more) return { epoch: page.epoch, offset: page.offset, items };
      assert.ok(page.items.length > 0, 'a page that says there is more has something');
      at = items.at(-1).offset;
    }
  }

  close() { this.agent.destroy(); }
}

/* --- a reader ----------------------------------------------------------------------------------------------------- */

/* A client of some channels that can lose its connection at any time and asks for what it missed. It takes down what
 * it gets, and what must not be:
 *   got        by channel, what came in order: { offset, data }
 *   problems   sentences */
export class Follower {
  #client;

  constructor(name, channels) {
    Object.assign(this, { name, channels, problems: [], resumed: 0, replayed: 0 });
    this.got = new Map(channels.map((channel) => [channel, []]));
    this.positions = new Map();
  }

  get isOpen() { return this.#client !== undefined; }
  position(channel) { return this.positions.get(channel); }

  /* Resolves to true once all subscriptions have succeeded, to false if the connection ended before that. */
  open(server) {
    const client = new WebSocket(webSocketUrl(server, `/app/${APP.key}?protocol=7`), { maxPayload: 1 << 27 });
    this.#client = client;
    client.unanswered = new Set(this.channels);
    client.left = new Set();    /* what still comes of these comes again */
    client.ended = new Promise((resolve) => {
      client.once('close', (code) => {
        if (this.#client === client) this.#client = undefined;
        resolve(code);
      });
    });
    client.on('error', () => {});    /* `ended` tells */
    client.on('message', (data, isBinary) => {
      if (this.#client === client && !isBinary) this.#take(client, JSON.parse(data));
    });
    const success = new Promise((resolve) => { client.succeed = () => resolve(true); });
    return within(Promise.race([success, client.ended.then(() => false)]), `${this.name} to subscribe`);
  }

  #problem(sentence) { this.problems.push(`${this.name}: ${sentence}`); }

  #take(client, { event, channel, data, offset, epoch }) {
    if (event === 'pusher:connection_established') {
      client.socketId = JSON.parse(data).socket_id;
      for (const each of this.channels) this.subscribe(each);
    } else if (event === 'pusher_internal:subscription_succeeded') {
      this.#succeeded(client, channel, JSON.parse(data));
    } else if (event === 'pusher:error' && data.code !== 4200 && data.code !== 4100) {
      this.#problem(`error ${data.code} ${data.message}`);
    } else if (offset !== undefined && this.positions.has(channel)) {
      this.#event(client, channel, { offset, epoch, data });
    } else if (client.ballast && channel === client.ballast.channel) {
      client.ballast.take(data);
    } else if (this.positions.has(channel) && !event.startsWith('pusher')) {
      this.#problem(`${event} on ${channel} without a place: ${data}`);
    }
  }

  #succeeded(client, channel, { offset, epoch, recovered }) {
    const position = this.positions.get(channel);
    if (!this.got.has(channel)) {    /* not one of those that are followed */
      client.ballast.begin(true);
      return;
    }
    if (position === undefined) {
      if (recovered !== false) this.#problem(`recovered: ${recovered} to one that is new`);
      this.positions.set(channel, { offset, epoch });
    } else {
      if (recovered !== true) this.#problem(`${channel}: recovered: ${recovered} at ${position.offset} of ${offset}`);
      if (epoch !== position.epoch) this.#problem(`${channel}: epoch ${epoch} after ${position.epoch}`);
      this.resumed += 1;
      this.replayed += offset - position.offset;
    }
    client.unanswered.delete(channel);
    client.left.delete(channel);
    if (client.unanswered.size === 0) client.succeed();
  }

  #event(client, channel, { offset, epoch, data }) {
    const position = this.positions.get(channel);
    if (client.left.has(channel)) return;
    if (epoch !== position.epoch) this.#problem(`${channel}: epoch ${epoch} after ${position.epoch}`);
    if (client.unanswered.has(channel)) this.#problem(`${channel}: ${offset} came before the answer`);
    if (offset <= position.offset) this.#problem(`${channel}: ${offset} came after ${position.offset}`);
    position.offset = offset;
    this.got.get(channel).push({ offset, data });
  }

  #send(event, data) { this.#client.send(JSON.stringify({ event, data })); }

  subscribe(channel) {
    const member = channel.startsWith('presence-') ? JSON.stringify({ user_id: this.name, ...USERS }) : undefined;
    const isSigned = /^(private|presence)-/.test(channel);
    this.#send('pusher:subscribe', {
      channel, channel_data: member, recover: this.positions.get(channel) ?? true,
      auth: isSigned ? channelAuth(this.#client.socketId, channel, member) : '',
    });
  }

  /* Leaves one channel and comes back to it at once, on the same connection. */
  subscribeAnew(channel) {
    const client = this.#client;
    client.unanswered.add(channel);
    client.left.add(channel);
    const success = new Promise((resolve) => { client.succeed = () => resolve(true); });
    const { ended } = client;
    this.#send('pusher:unsubscribe', { channel });
    this.subscribe(channel);
    return within(Promise.race([success, ended.then(() => false)]), `${this.name} to subscribe anew`);
  }

  /* Cut without a word; what is still on its way does not count. */
  cut() {
    const client = this.#client;
    this.#client = undefined;
    client?.terminate();
  }

  /* Says goodbye, and takes what comes until it is answered. */
  leave() {
    const client = this.#client;
    client.close(1000);
    return within(client.ended, `${this.name} to be let go`);
  }

  /* Subscribes to a channel that is not followed, then does not read until `fill` has resolved to the last that it
   * has published there. Resolves to the code with which the connection was closed, or to undefined if it got all. */
  async pause(channel, fill) {
    const client = this.#client;
    const got = new Set();
    const begun = new Promise((begin) => { client.ballast = { channel, begin, take: (data) => got.add(data) }; });
    this.#send('pusher:subscribe', { channel });
    const isThere = await within(Promise.race([begun, client.ended.then(() => false)]), `${this.name} in ${channel}`);
    if (!isThere) return client.ended;
    client.pause();
    const last = await fill();
    client.resume();
    let code;
    client.ended.then((value) => { code = value; });
    await until(() => code !== undefined || got.has(last), `${this.name} to be closed, or to get all`);
    if (code === undefined) this.#send('pusher:unsubscribe', { channel });
    return code;
  }

  untilAt(channel, offset) {
    return until(() => this.positions.get(channel)?.offset >= offset || this.problems.length > 0,
      `${this.name} to get ${channel} up to ${offset}`);
  }
}

export const newKey = () => randomUUID();
