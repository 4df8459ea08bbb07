/* tests/e2e/ringcast_js_origin.test.mjs - a page of another origin, in a real Chromium, imports ringcast.js from the
 * server and hears a channel. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { APP, appArgs, backend } from './channels.mjs';
import { pageTests } from './page.mjs';

const { pageTest, browser } = pageTests();

const pageOf = ({ url, port }) => `<!doctype html><title>waiting</title><script type="module">
  import { Ringcast } from '${url}/ringcast.js';
  const ringcast = new Ringcast({ key: '${APP.key}', url: 'ws://127.0.0.1:${port}' });
  const tea = ringcast.subscribe('tea');
  tea.on('subscribed', () => { document.title = 'subscribed'; });
  tea.bind('ev', ({ data }) => { document.title = data; });
  ringcast.connect();
</script>`;

pageTest('a page of another origin imports ringcast.js and hears a channel', appArgs(), async (server) => {
  const site = http.createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html');
    answer.end(pageOf(server));
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  try {
    const page = await browser().newPage();
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
    await page.waitForFunction(() => document.title === 'subscribed');
    await backend(server).trigger('tea', 'ev', 'hello');
    await page.waitForFunction(() => document.title === 'hello');
    assert.equal(new URL(page.url()).port, `${site.address().port}`);
  } finally {
    site.closeAllConnections();
    site.close();
  }
});
