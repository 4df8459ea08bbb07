/* tests/e2e/tree.mjs - a tree of Debian below a folder, made by debootstrap from this machine's own mirror, and what is
 * run in it. Needs root. */

import { spawnSync } from 'node:child_process';

/* Runs a command that has to succeed; what it wrote to stdout. */
export function tool(command, ...args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? status}\n${stdout}${stderr}`);
  return stdout;
}

function mirror() {
  const address = tool('apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Component: main',
    'Origin: Debian', 'Label: Debian').split('\n').find((line) => /^https?:/.test(line));
  if (!address) throw new Error('apt has no mirror of Debian that debootstrap could use');
  return address;
}

/* The smallest Debian of that name; returns the folder. */
export function makeTree(suite, folder) {
  tool('debootstrap', '--variant=minbase', suite, folder, mirror());
  tool('chroot', folder, 'apt-get', '-qq', 'update');
  return folder;
}

/* Runs a command in the tree, which has a /proc meanwhile, and knows nothing of our environment. */
export function inTree(tree, ...command) {
  const clean = ['env', '-i', 'HOME=/root', 'LC_ALL=C.UTF-8', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'];
  return tool('unshare', '--mount', 'sh', '-c', 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', tree,
    ...clean, ...command);
}
