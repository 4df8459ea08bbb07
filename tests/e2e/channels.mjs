/* tests/e2e/channels.mjs - what the tests of the channels protocol share: an app, the real packages (pusher-js, the
 * backend package pusher), a client that speaks the protocol frame by frame, signed requests, a receiver of webhooks.
 *
 * Signatures are made here by the rules of the protocol, not by a package, so that the two check each other. */

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import Backend from 'pusher';
import PusherJs from 'pusher-js';
import { atEnd, connect, Inbox, leave, serverTest, until, within } from './support.mjs';
import { freePort } from './server.mjs';
import { RawClient, request } from './raw.mjs';

export const APP = { id: '1001', key: 'rcdemo4f2a9c71', secret: 's3cr3t-ringcast-demo' };
export const OTHER_APP = { id: '1002', key: 'rcother07b5e2', secret: 'another-s3cr3t' };
const MASTER_KEY = Buffer.alloc(32, 7);    /* of encrypted channels; the server never sees it */

/* --- tests -------------------------------------------------------------------------------------------------------- */

/* --app and its value. */
export function appArgs(settings = '', app = APP) {
  return ['--app', `${app.id}:${app.key}:${app.secret} ${settings}`.trimEnd()];
}

/* A test with a server of APP, on 1 shard and on 4:
 *   settings   of the app
 *   args       further arguments of the server, or a function that resolves to them
 *   control    true: there is a control listener, server.control is { port, url } */
export function channelTest(title, { settings = '', args = [], control = false }, body) {
  for (const shards of [1, 4]) {
    const more = {};
    const allArgs = async () => {
      const further = typeof args === 'function' ? await args() : args;
      if (control) {
        const port = await freePort();
        more.control = { port, url: `http://127.0.0.1:${port}` };
      }
      const listen = control ? ['--control', `127.0.0.1:${more.control.port}`] : [];
      return [...appArgs(settings), '--shards', shards, ...listen, ...further];
    };
    serverTest(`${title}, on ${shards} shards`, allArgs, (server) => body(Object.assign(server, more, { shards })));
  }
}

/* --- signatures --------------------------------------------------------------------------------------------------- */

export const hmac = (secret, text) => createHmac('sha256', secret).update(text).digest('hex');
export const md5 = (text) => createHash('md5').update(text).digest('hex');

/* What a subscription is signed with; channelData, if there is any, is a string holding JSON. */
export function channelAuth(socketId, channel, channelData, app = APP) {
  const signed = [socketId, channel, channelData].filter((part) => part !== undefined).join(':');
  return `${app.key}:${hmac(app.secret, signed)}`;
}

export function userAuth(socketId, userData, app = APP) {
  return `${app.key}:${hmac(app.secret, `${socketId}::user::${userData}`)}`;
}

function sharedSecret(channel) {
  return createHash('sha256').update(channel).update(MASTER_KEY).digest('base64');
}

/* What an application's auth endpoint answers. */
export function endpointAnswer(socketId, channel, member, app = APP) {
  const channelData = channel.startsWith('presence-') && member !== undefined ? JSON.stringify(member) : undefined;
  const answer = { auth: channelAuth(socketId, channel, channelData, app) };
  if (channelData !== undefined) answer.channel_data = channelData;
  if (channel.startsWith('private-encrypted-')) answer.shared_secret = sharedSecret(channel);
  return answer;
}

/* --- pusher-js ---------------------------------------------------------------------------------------------------- */

/* What pusher-js closes once more when it has ended already waits half a minute for an answer, and the process with it:
 * not beyond the test. */
const { Runtime } = PusherJs;
const { createWebSocket } = Runtime;
Runtime.createWebSocket = (url) => {
  const socket = createWebSocket.call(Runtime, url);
  atEnd(() => setImmediate(() => clearTimeout(socket._closeTimer)));
  return socket;
};

/* A client of pusher-js.
 *   member   who it is on presence channels: { user_id, user_info }
 *   user     who it signs in as: { id, user_info, watchlist }
 *   further options are those of pusher-js */
export function pusherClient(server, { app = APP, member, user, ...options } = {}) {
  const client = new PusherJs(app.key, {
    cluster: 'any', wsHost: '127.0.0.1', wsPort: server.port, wssPort: server.port,
    forceTLS: server.ca !== undefined,
    enabledTransports: ['ws'],
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, done) => {
        done(null, endpointAnswer(socketId, channelName, member, app));
      },
    },
    userAuthentication: {
      customHandler: ({ socketId }, done) => {
        const userData = JSON.stringify(user);
        done(null, { auth: userAuth(socketId, userData, app), user_data: userData });
      },
    },
    ...options,
  });
  client.states = [];
  client.connection.bind('state_change', ({ current }) => client.states.push(current));
  atEnd(() => {
    client.disconnect();
    client.connection.connect = () => {};    /* a close with 4100 sets two timers to come back, and this ends but one */
  });
  return client;
}

export function untilState(client, state) {
  return until(() => client.connection.state === state, `pusher-js to be ${state}`);
}

/* Connected anew, no longer under this socket id. */
export function reconnected(client, formerId) {
  const { connection } = client;
  return until(() => connection.state === 'connected' && connection.socket_id !== formerId, 'a new connection');
}

/* What is emitted under a name from now on. */
export function listen(emitter, name) {
  const inbox = new Inbox();
  emitter.bind(name, (data) => inbox.put(data));
  return inbox;
}

/* Resolves to the channel once the subscription has succeeded. */
export function subscribe(client, name) {
  const channel = client.subscribe(name);
  return within(new Promise((resolve, reject) => {
    channel.bind('pusher:subscription_succeeded', () => resolve(channel));
    channel.bind('pusher:subscription_error', (error) => reject(new Error(JSON.stringify(error))));
  }), `the subscription of ${name}`);
}

export async function signIn(client) {
  const success = new Promise((resolve) => {
    client.connection.bind('message', ({ event, channel }) => {
      if (event === 'pusher_internal:subscription_succeeded' && channel?.startsWith('#server-to-user-')) resolve();
    });
  });
  client.signin();
  await within(success, 'the sign-in');
}

/* The code in what pusher-js emits as error. */
export const errorCode = (error) => error.data?.code ?? error.error?.data?.code;

/* The TCP socket below a client. */
export const socketOf = (client) => client.connection.connection.transport.socket._stream;

/* --- the backend's package ---------------------------------------------------------------------------------------- */

/* Reads each answer to its end; left unread, its connection would stay until it is cut. */
class ReadingBackend extends Backend {
  async post(options) { return new Response(await (await super.post(options)).text()); }
}

function newAgent(ca) {
  return ca ? new https.Agent({ keepAlive: false, ca }) : new http.Agent({ keepAlive: false });
}

/* Each request has a connection of its own, unless the agent keeps them: then they stay for some seconds. */
export function backend({ port, ca }, app = APP, agent = newAgent(ca)) {
  return new ReadingBackend({
    agent,
    appId: app.id, key: app.key, secret: app.secret, host: '127.0.0.1', port: String(port), useTLS: ca !== undefined,
    encryptionMasterKeyBase64: MASTER_KEY.toString('base64'),
  });
}

/* The answer to a GET. */
export async function ask(server, path, params, app = APP) {
  return (await backend(server, app).get({ path, params })).json();
}

/* --- frame by frame ----------------------------------------------------------------------------------------------- */

/* A frame as it may stand on the wire: "data" is a string everywhere but in errors. */
function checked(text) {
  assert.equal(typeof text, 'string', 'text, not binary');
  const frame = JSON.parse(text);
  const known = ['event', 'channel', 'data', 'user_id', 'offset', 'epoch'];
  for (const key of Object.keys(frame)) assert.ok(known.includes(key), text);
  assert.equal(typeof frame.event, 'string', text);
  if (frame.event !== 'pusher:error') {
    assert.equal(typeof frame.data, 'string', text);
    return frame;
  }
  const { retry_after_ms: retryAfterMs = 1, ...data } = frame.data;
  assert.ok(Number.isInteger(retryAfterMs) && retryAfterMs > 0, text);
  assert.deepEqual(Object.keys(data).sort(), ['code', 'message'], text);
  assert.ok(frame.data.code === null || Number.isInteger(frame.data.code), text);
  assert.match(frame.data.message, /^.{5,}$/s, text);
  return frame;
}

/* A client that sends and gets frames as they are, and is strict about what it gets. */
export class Peer {
  static async open(server, { app = APP, path = `/app/${app.key}?protocol=7`, ...options } = {}) {
    const peer = new Peer(await connect(server, path, options), app);
    const hello = await peer.next('the first frame');
    assert.equal(hello.event, 'pusher:connection_established', JSON.stringify(hello));
    peer.socketId = JSON.parse(hello.data).socket_id;
    assert.match(peer.socketId, /^\d+\.\d+$/);
    return peer;
  }

  /* Of one that is not let in: { code, message }, said in a frame and again in the close. */
  static async refused(server, path, options) {
    return new Peer(await connect(server, path, options)).expectEnd();
  }

  constructor(client, app) {
    Object.assign(this, { client, app, ended: client.ended });
  }

  sendText(text) { this.client.send(text); }

  send(event, data, channel) { this.sendText(JSON.stringify({ event, data, channel })); }

  async next(what = 'a frame') { return checked(await this.client.inbox.next(what)); }

  /* The next frame must be this one, as a whole; `more` are further members, as user_id, offset and epoch. */
  async expect(event, channel, data, more = {}) {
    const wanted = { event, data: typeof data === 'string' ? data : JSON.stringify(data), ...more };
    if (channel !== undefined) wanted.channel = channel;
    assert.deepEqual(await this.next(`${event} on ${channel}`), wanted);
  }

  async expectError(code, message = /./) {
    const { event, data } = await this.next(`an error with code ${code}`);
    assert.equal(event, 'pusher:error');
    assert.equal(data.code, code, data.message);
    assert.match(data.message, message);
  }

  /* Both forms of "no", in any order; that of the connection has no code, at which some clients would leave. */
  async expectRefusal(channel, { type = 'AuthError', status = 401 } = {}) {
    const frames = [await this.next(`a refusal of ${channel}`), await this.next(`the other refusal of ${channel}`)];
    const [error, refusal] = frames.sort((a, b) => a.event.localeCompare(b.event));
    assert.deepEqual([error.event, error.data.code], ['pusher:error', null], error.data.message);
    assert.deepEqual([refusal.event, refusal.channel], ['pusher:subscription_error', channel]);
    const { error: sentence, ...rest } = JSON.parse(refusal.data);
    assert.deepEqual(rest, { type, status });
    assert.match(sentence, /^.{5,}$/);
  }

  /* The end: an error frame, and a close with the same code. */
  async expectEnd() {
    const { event, data } = await this.next('the last error');
    assert.equal(event, 'pusher:error');
    const { code } = await within(this.ended, 'a close');
    assert.equal(code, data.code, 'the same code in the frame and in the close');
    return data;
  }

  /* Nothing else waits: an answer to a ping is the next thing that comes. */
  async expectQuiet() {
    this.send('pusher:ping', {});
    await this.expect('pusher:pong', undefined, '{}');
  }

  /* The subscribe frame, signed where it must be. `member` stands for channel_data as an object. */
  askFor(channel, { member, channelData = member && JSON.stringify(member), ...more } = {}) {
    const isSigned = /^(private|presence)-/.test(channel);
    const auth = isSigned ? channelAuth(this.socketId, channel, channelData, this.app) : '';
    this.send('pusher:subscribe', { channel, auth, channel_data: channelData, ...more });
  }

  /* Returns the decoded data of the success. */
  async subscribe(channel, options) {
    this.askFor(channel, options);
    const frame = await this.next(`the subscription of ${channel}`);
    assert.deepEqual([frame.event, frame.channel], ['pusher_internal:subscription_succeeded', channel],
      JSON.stringify(frame));
    if (!channel.startsWith('presence-') && !options?.recover) assert.equal(frame.data, '{}');
    return JSON.parse(frame.data);
  }

  async signIn(user) {
    const userData = JSON.stringify(user);
    this.send('pusher:signin', { auth: userAuth(this.socketId, userData, this.app), user_data: userData });
    await this.expect('pusher:signin_success', undefined, { user_data: userData });
  }

  leave() { return leave(this.client); }
}

export function openPeers(server, count, options) {
  return Promise.all(Array.from({ length: count }, () => Peer.open(server, options)));
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* The target of a signed request. `params` are signed with it and may replace those of the signature; null leaves one
 * out. `signPath` is the path as it is signed; `spoil` replaces parameters behind the signature's back. */
export function signedTarget(method, path, { app = APP, body = '', params = {}, signPath = path, spoil = {} } = {}) {
  const all = {
    auth_key: app.key, auth_timestamp: Math.floor(Date.now() / 1000), auth_version: '1.0',
    ...(body.length > 0 ? { body_md5: md5(body) } : {}), ...params,
  };
  const pairs = Object.entries(all).filter(([, value]) => value !== null).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = [method, signPath, pairs.map(([name, value]) => `${name}=${value}`).join('&')].join('\n');
  const sent = { ...Object.fromEntries(pairs), auth_signature: hmac(app.secret, text), ...spoil };
  const query = Object.entries(sent).filter(([, value]) => value !== null)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return `${path}?${query.join('&')}`;
}

/* The bytes of a signed request to /apps/ID and what follows. A body that is no string is sent as its JSON. */
export function signedRequest(method, path, { app = APP, body = '', headers = {}, ...options } = {}) {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const target = signedTarget(method, `/apps/${app.id}${path}`, { app, body: text, ...options });
  const bodyHeaders = text.length > 0
    ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {};
  return Buffer.concat([
    Buffer.from(request(`${method} ${target} HTTP/1.1`, { ...bodyHeaders, ...headers })), Buffer.from(text),
  ]);
}

/* Sends a signed request; the answer, with its body decoded when it is JSON. */
export async function call(server, method, path, options) {
  const client = await RawClient.connect(server);
  client.write(signedRequest(method, path, options));
  const answer = await client.answer({ head: method === 'HEAD' });
  client.destroy();
  return answer.headers['content-type'] === 'application/json'
    ? { ...answer, body: JSON.parse(answer.body) } : answer;
}

/* --- webhooks ----------------------------------------------------------------------------------------------------- */

/* Where a server may post webhooks to. Each is checked for its form and signature.
 *   url
 *   posts     an inbox of { headers, rawBody, body, isGood }
 *   events    an inbox of all events of good posts
 *   answer    a function of a post that returns the status of the answer
 * It keeps nobody from ending, and outlives the server's own end. */
export async function webhookReceiver({ app = APP, answer = () => 200 } = {}) {
  const receiver = { posts: new Inbox(), events: new Inbox(), answer };
  const server = http.createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method, headers } = incoming;
    const rawBody = Buffer.concat(chunks).toString();
    const isGood = method === 'POST' && backend({ port: 1 }, app).webhook({ headers, rawBody }).isValid();
    const post = { headers, rawBody, body: JSON.parse(rawBody), isGood };
    outgoing.writeHead(receiver.answer(post)).end();
    receiver.posts.put(post);
    for (const event of isGood && outgoing.statusCode === 200 ? post.body.events : []) receiver.events.put(event);
  });
  server.on('connection', (socket) => socket.unref());
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  receiver.url = `http://127.0.0.1:${server.address().port}/webhooks`;
  return receiver;
}
