/* server/web/dashboard.js - asks for /stats once a second, for /top every two, and shows what has changed. Rates are
 * over the last two seconds, of channels over the last 8 to 16, quantiles over the last ten, curves over the last two
 * minutes. */

const EVERY_MS = 1000;
const TOP_EVERY = 2;                       /* of these */
const TOP_ROWS = 10;
const SAMPLES = 120;
const RATE_SAMPLES = 2;
const QUANTILE_SAMPLES = 10;
const TOKEN = 'ringcast-control-token';

const root = document.documentElement;
const find = (id) => document.getElementById(id);
const samples = [];                        /* of /stats, the oldest first */
let isPaused = false;
let isTopAsked = false;
let asked = 0;                             /* so often for /stats */

/* --- words -------------------------------------------------------------------------------------------------------- */

const number = (value) => (value < 100_000 ? Math.round(value).toLocaleString('en')
  : new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value));

const rate = (value) => (value > 0 && value < 10 ? value.toFixed(1) : number(value));

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit > 0 && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function micros(value) {
  if (value === null) return 'none';
  if (value < 1000) return `${Math.round(value)} µs`;
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} ms`;
  return `${(value / 1_000_000).toFixed(1)} s`;
}

function span(ms) {
  const minutes = Math.floor(ms / 60_000), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(ms / 1000)} s`;
}

const percent = (part) => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;

/* --- numbers ------------------------------------------------------------------------------------------------------ */

const last = () => samples.at(-1);
const before = (count, index = samples.length - 1) => samples[Math.max(0, index - count)];

/* How much something grew a second, up to a sample; null: of the first one nobody knows. */
function growth(of, index = samples.length - 1) {
  const now = samples[index], then = before(RATE_SAMPLES, index), ms = now.now_ms - then.now_ms;
  return ms > 0 ? Math.max(0, of(now) - of(then)) * 1000 / ms : null;
}

/* The bound that `part` of the times of the last seconds do not exceed; null: there were none. */
function quantile(part, of, index = samples.length - 1) {
  const now = of(samples[index]).buckets, then = of(before(QUANTILE_SAMPLES, index)).buckets;
  const counts = index === 0 ? now : now.map((count, i) => count - then[i]);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all <= 0) return null;
  let below = 0;
  const found = counts.findIndex((count) => (below += count) > 0 && below >= part * all);
  return samples[index].bounds_us[Math.min(found, samples[index].bounds_us.length - 1)];
}

const counter = (name) => (stats) => stats.counters[name];
const histogram = (name) => (stats) => stats.histograms[name];
const thread = (name, of) => (stats) => of(stats.shards.find((shard) => shard.name === name));
const series = (of) => samples.map((_, index) => of(index));

/* --- tiles -------------------------------------------------------------------------------------------------------- */

const latency = (part) => (index) => quantile(part, histogram('delivery'), index);
const worstTurn = (part) => (index) => Math.max(...samples[index].shards.map(({ name }) =>
  quantile(part, thread(name, (shard) => shard.histograms.turn), index) ?? 0));
const grows = (name) => (index) => growth(counter(name), index);

const TILES = [
  { title: 'Connections', value: (i) => samples[i].counters.connections_open, show: number,
    note: () => `of ${number(last().limits.connections_max)}, ${rate(growth(counter('connections_accepted')))}/s` },
  { title: 'Deliveries/s', value: grows('messages_delivered'), show: rate,
    note: () => `${rate(growth(counter('messages_published')))}/s published` },
  { title: 'Publish to delivery', value: latency(0.5), second: latency(0.99), show: micros, names: ['p50', 'p99'] },
  { title: 'Bytes/s', value: grows('bytes_sent'), second: grows('bytes_received'), show: bytes,
    names: ['sent', 'received'] },
  { title: 'Waiting for readers', value: (i) => samples[i].counters.outbox_bytes, show: bytes,
    note: () => `${number(last().counters.subscriptions)} subscriptions` },
  { title: 'Turns of the slowest thread', value: worstTurn(0.5), second: worstTurn(0.99), show: micros,
    names: ['p50', 'p99'] },
  { title: 'Memory', value: (i) => samples[i].process.resident_bytes, show: bytes,
    note: () => `${bytes(last().counters.history_bytes)} in histories` },
  { title: 'Processors', value: (i) => growth((stats) => stats.process.cpu_ms, i) / 1000,
    show: (value) => value.toFixed(2),
    note: () => `${last().limits.shards} threads have clients` },
];

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function makeTile(tile) {
  const chart = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  chart.setAttribute('viewBox', `0 0 ${SAMPLES - 1} 40`);
  chart.setAttribute('preserveAspectRatio', 'none');
  chart.setAttribute('aria-hidden', 'true');
  tile.curves = [tile.value, tile.second].filter(Boolean).map((of, i) => {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    if (i > 0) path.setAttribute('class', 'second');
    chart.append(path);
    return { of, path };
  });
  tile.big = make('p', { className: 'value' });
  tile.small = make('p', { className: 'note' });
  find('tiles').append(make('li', {}, make('h3', { textContent: tile.title }), tile.big, tile.small, chart));
}

/* Both curves of a tile have one scale; where there is no value there is a gap. */
function drawCurves({ curves }) {
  const lines = curves.map(({ of }) => series(of));
  const top = Math.max(...lines.flat().map((value) => value ?? 0)) || 1;
  curves.forEach(({ path }, i) => {
    let isDown = false;
    path.setAttribute('d', lines[i].map((value, at) => {
      const command = isDown && value !== null ? 'L' : 'M';
      isDown = value !== null;
      return isDown ? `${command}${SAMPLES - lines[i].length + at} ${(38 - 36 * value / top).toFixed(1)}` : '';
    }).join(''));
  });
}

function showTile(tile) {
  const now = samples.length - 1;
  tile.big.textContent = tile.show(tile.value(now));
  if (tile.second) {
    const second = make('span', { className: 'second', textContent: tile.show(tile.second(now)) });
    tile.small.replaceChildren(`${tile.names[0]}; `, second, ` ${tile.names[1]}`);
  } else {
    tile.small.textContent = tile.note();
  }
  drawCurves(tile);
}

/* --- tables and lists --------------------------------------------------------------------------------------------- */

/* Rows are kept where they can be, so that what somebody has selected stays. */
function showRows(table, rows) {
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    cells.forEach((text, k) => {
      const cell = row.cells[k] ?? row.appendChild(make(k === 0 ? 'th' : 'td', k === 0 ? { scope: 'row' } : {}));
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

function showThreads() {
  showRows(find('threads'), last().shards.map(({ name, counters, mailbox_letters: letters }) => {
    const turns = thread(name, (shard) => shard.histograms.turn);
    const busyUs = growth((stats) => turns(stats).sum_us);
    return [name, number(counters.connections_open),
      rate(growth(thread(name, (shard) => shard.counters.messages_delivered))),
      micros(quantile(0.5, turns)), micros(quantile(0.99, turns)), percent(Math.min(1, busyUs / 1e6)),
      bytes(counters.outbox_bytes + counters.history_bytes + counters.cache_bytes), number(letters)];
  }));
}

function showClosed() {
  const reasons = Object.entries(last().counters).filter(([name, count]) => name.startsWith('closed_') && count > 0)
    .map(([name, count]) => ({ name: name.slice('closed_'.length).replaceAll('_', ' '), count,
      lately: count - samples[0].counters[name] }))
    .sort((a, b) => b.lately - a.lately || b.count - a.count);
  showRows(find('closed'), reasons.map(({ name, count, lately }) => [name, number(lately), number(count)]));
  find('closed').hidden = reasons.length === 0;
  find('closed').nextElementSibling.hidden = reasons.length > 0;
}

function showApps() {
  const apps = [...last().apps].sort((a, b) => b.connections - a.connections);
  const rest = apps.splice(10).reduce((sum, { connections }) => sum + connections, 0);
  const rows = apps.map(({ id, connections }) => [id, number(connections)]);
  if (last().apps.length > 10) rows.push([`${last().apps.length - 10} more`, number(rest)]);
  showRows(find('apps'), rows);
}

function showTop({ channels, connections }) {
  showRows(find('channels'), channels.slice(0, TOP_ROWS).map(({ channel, app, subscribers, ...rates }) =>
    [channel, rate(rates.messages_per_second), bytes(rates.bytes_per_second), number(subscribers), app]));
  find('channels').nextElementSibling.hidden = channels.length > 0;
  showRows(find('readers'), connections.slice(0, TOP_ROWS).map(({ connection, app, protocol, ...reader }) =>
    [connection, app, protocol, bytes(reader.waiting_bytes), span(reader.silent_ms)]));
  find('readers').closest('section').hidden = connections.length === 0;
}

/* Entries are [name, text, mark]; the mark, "wait" or "bad", is for what an operator should look at. */
function showList(id, entries) {
  const list = find(id);
  while (list.children.length > entries.length) list.lastElementChild.remove();
  entries.forEach(([name, text, mark], i) => {
    const entry = list.children[i] ?? list.appendChild(make('div', {}, make('dt'), make('dd')));
    const [term, value] = entry.children;
    if (term.textContent !== name) term.textContent = name;
    if (value.textContent !== text) value.textContent = text;
    value.className = mark || '';
  });
}

/* Something that should not happen: how often in the last minutes. */
function lately(name, title, mark = 'wait') {
  const count = last().counters[name] - samples[0].counters[name];
  return [title, number(count), count > 0 && mark];
}

function showStore() {
  const { counters } = last();
  showList('store', [
    ['state', counters.store_refuses > 0 ? 'cannot be written' : 'in order', counters.store_refuses > 0 && 'bad'],
    ['stored/s', rate(growth(counter('store_appends')))],
    ['commit, p50', micros(quantile(0.5, histogram('store_commit')))],
    ['commit, p99', micros(quantile(0.99, histogram('store_commit')))],
    ['messages that wait', number(counters.store_waiting), counters.store_waiting > 1000 && 'wait'],
    ['in memory', bytes(counters.history_bytes + counters.cache_bytes)],
    ['channels with history in use', number(counters.history_logs)],
    lately('store_evictions', 'forgotten early, disk'), lately('history_evictions', 'forgotten early, memory'),
    lately('resumes', 'resumed', ''), lately('resumes_refused', 'resumed with a gap'),
  ]);
}

/* Of a node that is alone there is nothing to tell. */
function showCluster() {
  const { cluster, counters, node } = last();
  find('cluster').closest('section').hidden = cluster === 'none';
  if (cluster === 'none') return;
  showList('cluster', [
    ['state', cluster === 'ok' ? 'connected' : cluster, cluster !== 'ok' && 'bad'],
    ['this node', node],
    ['messages that wait', number(counters.cluster_waiting), counters.cluster_waiting > 1000 && 'wait'],
    ['of bytes', bytes(counters.cluster_bytes_waiting)],
    ['calls to publish/s', rate(growth(counter('cluster_calls')))],
    ['channels that are read', number(counters.cluster_channels)],
    lately('cluster_refused', 'not published', 'bad'), lately('cluster_dropped', 'dropped, nobody waited', 'bad'),
    lately('cluster_gaps', 'gaps filled', ''), lately('cluster_lost', 'clients told of a loss'),
    lately('cluster_pauses', 'too much to deliver'),
    lately('cluster_audits_failed', 'audits that found a fault', 'bad'),
  ]);
}

function showWebhooks() {
  showList('webhooks', [
    ['events that wait', number(last().counters.webhook_events_waiting)],
    ['events sent/s', rate(growth(counter('webhook_events_sent')))],
    ['requests/s', rate(growth(counter('webhooks_sent')))],
    lately('webhooks_failed', 'requests that failed'), lately('webhook_events_dropped', 'events lost', 'bad'),
  ]);
}

function showTls() {
  const { counters, now_ms: now } = last(), expires = 1000 * counters.tls_expires_s - now;
  const days = Math.floor(expires / 86_400_000);
  showList('tls', [
    ['first certificate expires', counters.tls_expires_s === 0 ? 'there is none' : `in ${days} days`,
      counters.tls_expires_s > 0 && days < 14 && (days < 3 ? 'bad' : 'wait')],
    ['handshakes/s', rate(growth(counter('tls_handshakes')))],
    ['of these resumed/s', rate(growth(counter('tls_resumed')))],
    ['handshake, p50', micros(quantile(0.5, histogram('tls_handshake')))],
    ['handshake, p99', micros(quantile(0.99, histogram('tls_handshake')))],
    ['wait for us', number(counters.tls_handshakes_waiting)],
    lately('tls_failed', 'failed'),
  ]);
}

function showTrouble() {
  showList('trouble', [
    ['ping to answer, p99', micros(quantile(0.99, histogram('ping')))],
    lately('closed_slow_reader', 'slow readers closed'), lately('closed_stale_reader', 'stale readers closed'),
    lately('closed_no_memory', 'closed for want of memory', 'bad'), lately('crowds_late', 'behind with crowds'),
    lately('letters_spilled', 'letters without room'), lately('receives_starved', 'receives without buffer'),
    lately('stalls', 'stood still'), lately('turns_stuck', 'turns stuck', 'bad'),
    lately('cq_overflows', 'completions without room', 'bad'), lately('http_refused', 'HTTP requests refused', ''),
  ]);
}

function showWarnings() {
  const list = find('warnings'), { warnings } = last(), newest = warnings.at(-1);
  const mark = newest ? `${warnings.length} ${newest.time_ms} ${newest.text}` : '';
  list.hidden = warnings.length === 0;
  list.nextElementSibling.hidden = warnings.length > 0;
  if (list.dataset.mark === mark) return;
  list.dataset.mark = mark;
  list.replaceChildren(...warnings.toReversed().map(({ time_ms: ms, level, thread: name, text }) => {
    const time = make('time', { dateTime: new Date(ms).toISOString(), textContent: new Date(ms).toLocaleString() });
    const words = make('span', {}, make('b', { textContent: level }), ` ${name ? `${name}: ` : ''}${text}`);
    return make('li', { className: level }, time, words);
  }));
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

function setState(state, words) {
  root.dataset.state = state;
  if (find('state').textContent !== words) find('state').textContent = words;
}

function take(stats) {
  if (samples.length > 0 && last().begun_ms !== stats.begun_ms) samples.length = 0;    /* another server */
  samples.push(stats);
  if (samples.length > SAMPLES) samples.shift();
}

function show() {
  const { version, draining, now_ms: now, begun_ms: begun } = last();
  find('numbers').hidden = false;
  find('token-form').hidden = true;
  find('version').textContent = version;
  find('up').textContent = span(now - begun);
  find('since').textContent = `, since ${new Date(begun).toLocaleString()}`;
  setState(draining ? 'draining' : 'running', draining ? 'stopping' : 'running');
  TILES.forEach(showTile);
  for (const part of [showThreads, showClosed, showApps, showStore, showCluster, showWebhooks, showTls, showTrouble,
    showWarnings])
    part();
}

/* 403: there is no token that would do. */
async function askForToken(answer) {
  find('token-why').textContent = (await answer.text()).trim();
  for (const part of find('token-form').querySelectorAll('label, input, button')) part.hidden = answer.status === 403;
  sessionStorage.removeItem(TOKEN);
  if (find('token-form').hidden) {
    find('token-form').hidden = false;
    find('token').focus();
  }
  setState('refused', 'not allowed');
}

function get(path) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  return fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(5 * EVERY_MS) });
}

/* All threads answer that, so it may come late, or not at all while the others' numbers say why. */
async function askTop() {
  if (isTopAsked) return;
  isTopAsked = true;
  const answer = await get('/top').catch(() => null);
  if (answer?.ok) await answer.json().then(showTop, () => {});
  isTopAsked = false;
}

async function ask() {
  const answer = await get('/stats');
  if (answer.status === 401 || answer.status === 403) return askForToken(answer);
  if (!answer.ok) throw new Error(`${answer.status}`);
  take(await answer.json());
  if (asked++ % TOP_EVERY === 0) askTop();
  return show();
}

/* One question after the other, none while nobody looks. */
async function askOn() {
  if (!isPaused && !document.hidden && root.dataset.state !== 'refused') {
    await ask().catch(() => setState('lost', 'no answer'));
  }
  setTimeout(askOn, EVERY_MS);
}

find('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  find('pause').setAttribute('aria-pressed', String(isPaused));
  if (isPaused) setState('paused', 'paused');
});

find('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, find('token').value);
  find('token').value = '';
  setState('asking', 'asking');
});

TILES.forEach(makeTile);
askOn();
