// Downloads one target with tuf-js, starting at a root that is already trusted, or at a folder of
// metadata that is (root.json, timestamp.json, …), as a client keeps it.
//
//   node tufjs.mjs METADATA_URL TARGET_BASE_URL ROOT.json|FOLDER TARGET OUT
//   node tufjs.mjs --batch
//
// Exit 0, or 1 with the reason on stderr. With --batch it reads one JSON array of the same five
// arguments per line and answers each with one line: {"ok":true} or {"ok":false,"why":"…"}. A sixth one
// is a folder in which the client remembers what it has seen; ROOT.json counts only where that is empty.

import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Updater } from 'tuf-js';

async function download(metadataURL, targetBaseURL, root, target, out, memory) {
  const dir = memory ?? mkdtempSync(join(tmpdir(), 'tufjs-'));
  try {
    if (statSync(root).isDirectory()) {
      cpSync(root, dir, { recursive: true });
    } else if (!existsSync(join(dir, 'root.json'))) {
      copyFileSync(root, join(dir, 'root.json'));
    }
    const updater = new Updater({
      metadataDir: dir,
      metadataBaseUrl: metadataURL,
      targetDir: dir,
      targetBaseUrl: targetBaseURL,
      config: { fetchRetry: false },
    });
    await updater.refresh();
    const info = await updater.getTargetInfo(target);
    if (!info) {
      throw new Error(`target ${target} is not listed`);
    }
    await updater.downloadTarget(info, out);
  } finally {
    if (!memory) {
      rmSync(dir, { recursive: true, force: true });
    }
  }
}

async function answer(args) {
  try {
    await download(...args);
    return { ok: true };
  } catch (error) {
    return { ok: false, why: String(error) };
  }
}

if (process.argv[2] === '--batch') {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n');
  }
} else if (process.argv.length === 7) {
  const { ok, why } = await answer(process.argv.slice(2));
  if (!ok) {
    console.error(why);
  }
  process.exitCode = ok ? 0 : 1;
} else {
  console.error('usage: node tufjs.mjs METADATA_URL TARGET_BASE_URL ROOT.json|FOLDER TARGET OUT');
  process.exitCode = 1;
}
