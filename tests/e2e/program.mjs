/* tests/e2e/program.mjs - other people's programs that tests run: where they are, and what they need to be run.
 * deploy/deps --test says why some are unpacked in build/test-services and not installed. */

import { accessSync, constants } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
const UNPACKED = join(ROOT, 'build/test-services');
export const MACHINE = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
/* The path of their libraries, for LD_LIBRARY_PATH. */
export const LIBRARIES = `${UNPACKED}/usr/lib/${MACHINE}`;

export function programOf(name) {
  const folders = [...process.env.PATH.split(':'), '/usr/sbin', `${UNPACKED}/usr/sbin`, `${UNPACKED}/usr/bin`];
  const found = folders.map((path) => join(path, name)).find((path) => {
    try { accessSync(path, constants.X_OK); return true; } catch { return false; }
  });
  if (!found) throw new Error(`there is no ${name}: deploy/deps --test gets it`);
  return found;
}
