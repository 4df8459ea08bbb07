/* tests/e2e/guests.mjs - people whom no backend knows: what they ask the server for. */

import assert from 'node:assert/strict';
import { request, RawClient } from './raw.mjs';

/* Posts, by default as a page of the server's own would; the answer, its body decoded. */
export async function post(server, path, body, { method = 'POST', ...headers } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const host = `127.0.0.1:${server.port}`;
  const client = await RawClient.connect(server);
  client.write(request(`${method} ${path} HTTP/1.1`, {
    'Host': host, 'Origin': `http://${host}`, 'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text), ...headers,
  }) + text);
  const answer = await client.answer();
  client.destroy();
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['cache-control'], 'no-store');
  return { ...answer, body: JSON.parse(answer.body) };
}

/* A new guest: { id, token, name }. */
export async function newGuest(server, name = 'Ann') {
  const { status, body } = await post(server, '/guests', {});
  assert.equal(status, 200, JSON.stringify(body));
  assert.match(body.id, /^g[a-z0-9]{12}$/);
  assert.match(body.token, new RegExp(`^${body.id}\\.[0-9a-f]{64}$`));
  return { ...body, name };
}

/* What pusher-js is to use for a guest in place of a backend. */
export function guestOptions(server, { token, name }) {
  const from = (path) => async ({ socketId, channelName }, done) => {
    const { status, body } = await post(server, path,
      { token, name, socket_id: socketId, channel_name: channelName });
    if (status === 200) done(null, body);
    else done(new Error(`${status} ${body.error}`), null);
  };
  return {
    channelAuthorization: { customHandler: from('/guests/auth') },
    userAuthentication: { customHandler: from('/guests/signin') },
  };
}

/* The key of the first app, as guests learn it. */
export async function keyOfRooms(server) {
  const { token } = await newGuest(server);
  const { body } = await post(server, '/guests/auth',
    { token, name: 'Ann', socket_id: '1.1', channel_name: 'presence-a' });
  return body.auth.split(':')[0];
}
