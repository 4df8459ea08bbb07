/* tests/e2e/presence_churn.test.mjs - a thousand connections join and leave a presence channel at random, some of
 * them several of one user, some vanishing. Each keeps its list of members from what it is told; in the end all lists
 * must be the one that the server gives to backends, and the one that follows from who is in.
 *
 * What happens comes from a seed (SEED=... repeats a run, as far as the kernel's timing allows). A change is told to
 * everybody: CHANGES_PER_SECOND times the members is what this process must read, so both are bounded. */

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { randomFrom, SEED, serverTest, sized, sleep, until, untilNobody, within } from './support.mjs';
import { APP, appArgs, ask, backend, endpointAnswer } from './channels.mjs';
import { resetSocket } from './raw.mjs';

const SECONDS = sized(5, 120);
const CLIENTS = 1000;
const USERS = 700;             /* so 300 of them have two connections */
const FIRST_MEMBERS = 500;
const CHANGES_PER_SECOND = 40;
const CONNECTING_AT_ONCE = 50;
const ROOM = 'presence-churn';

/* One connection of a user. `wants` is what it has asked for last: to be in the room or not; `members` is null until
 * it is told that it is in. */
class Client {
  constructor(server, number, wrongs) {
    Object.assign(this, { server, wrongs, userId: `u${number % USERS}`, wants: false, members: null, marks: 0 });
  }

  async connect() {
    this.socket = new WebSocket(`ws://127.0.0.1:${this.server.port}/app/${APP.key}?protocol=7`);
    this.socket.on('error', () => {});
    const { socket } = this;
    await within(new Promise((resolve) => {
      socket.on('message', (text) => {
        if (socket !== this.socket) return;
        this.#hear(JSON.parse(text));
        resolve();
      });
    }), 'a connection');
  }

  join() {
    this.wants = true;
    const member = { user_id: this.userId, user_info: { of: this.userId } };
    const data = { channel: ROOM, ...endpointAnswer(this.socketId, ROOM, member) };
    this.socket.send(JSON.stringify({ event: 'pusher:subscribe', data }));
  }

  /* A way out; false: the connection goes on. */
  leave(random) {
    this.wants = false;
    this.members = null;
    const way = random(4);
    if (way === 0) this.socket.send(JSON.stringify({ event: 'pusher:unsubscribe', data: { channel: ROOM } }));
    else if (way === 1) this.socket.close(1000);
    else if (way === 2) this.socket.terminate();
    else resetSocket(this.socket._socket);
    if (way > 0) this.socket = null;
  }

  #hear({ event, data }) {
    const content = JSON.parse(data);
    if (event === 'pusher:connection_established') this.socketId = content.socket_id;
    else if (event === 'pusher_internal:subscription_succeeded') this.#enter(content.presence);
    else if (this.members === null) return;    /* on its way before the server knew that it leaves */
    else if (event === 'pusher_internal:member_added') this.#add(content);
    else if (event === 'pusher_internal:member_removed') this.#remove(content);
    else if (event === 'mark') this.marks = content;
    else this.wrongs.push(`${event} ${data}`);
  }

  #enter({ ids, hash, count }) {
    if (this.members !== null) this.wrongs.push('a second success');
    if (ids.length !== count || ids.some((id) => hash[id]?.of !== id)) this.wrongs.push('a list at odds with itself');
    if (this.wants) this.members = new Set(ids);
    if (!ids.includes(this.userId)) this.wrongs.push('a list without the newcomer');
  }

  #add({ user_id: id, user_info: info }) {
    if (this.members.has(id)) this.wrongs.push(`${id} came twice`);
    if (id === this.userId || info.of !== id) this.wrongs.push(`${id} came to ${this.userId}`);
    this.members.add(id);
  }

  #remove({ user_id: id }) {
    if (!this.members.delete(id)) this.wrongs.push(`${id} left twice`);
  }
}

/* One change: somebody who is out comes in or the other way round. Whoever is on its way is left alone. */
async function change(clients, random) {
  const client = clients[random(clients.length)];
  if (client.isBusy || (client.wants && client.members === null)) return;
  if (client.wants) {
    client.leave(random);
    return;
  }
  client.isBusy = true;
  if (client.socket === null) await client.connect();
  client.join();
  client.isBusy = false;
}

serverTest(`${CLIENTS} members come and go for ${SECONDS} s, SEED=${SEED}`, [...appArgs(), '--shards', '4'],
  async (server) => {
    const random = randomFrom(SEED);
    const wrongs = [];
    const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(server, i, wrongs));
    for (let i = 0; i < CLIENTS; i += CONNECTING_AT_ONCE) {
      await Promise.all(clients.slice(i, i + CONNECTING_AT_ONCE).map((client) => client.connect()));
    }
    for (const client of clients.slice(0, FIRST_MEMBERS)) client.join();
    const inRoom = () => clients.filter((client) => client.wants);
    await until(() => inRoom().every((client) => client.members !== null), 'the first members');

    const changes = [];
    for (const end = Date.now() + SECONDS * 1000; Date.now() < end; await sleep(1000 / CHANGES_PER_SECOND)) {
      changes.push(change(clients, random));
    }
    await Promise.all(changes);

    const isSettled = async () => {
      const { subscription_count: count } = await ask(server, `/channels/${ROOM}`, { info: 'subscription_count' });
      return count === inRoom().length && inRoom().every((client) => client.members !== null);
    };
    await until(isSettled, 'the server to have noticed all');
    await backend(server).trigger(ROOM, 'mark', 1);
    await until(() => inRoom().every((client) => client.marks === 1), 'everybody to have heard all');

    assert.deepEqual(wrongs, []);
    const wanted = [...new Set(inRoom().map((client) => client.userId))].sort();
    for (const client of inRoom()) assert.deepEqual([...client.members].sort(), wanted);
    const { users } = await ask(server, `/channels/${ROOM}/users`);
    assert.deepEqual(users.map(({ id }) => id).sort(), wanted);
    const { user_count: count } = await ask(server, `/channels/${ROOM}`, { info: 'user_count' });
    assert.equal(count, wanted.length);
    console.log(`${changes.length} changes, in the end ${inRoom().length} connections of ${count} users`);

    for (const client of clients) client.socket?.terminate();
    await untilNobody(server);
  });
