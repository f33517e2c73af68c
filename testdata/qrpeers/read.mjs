// node read.mjs jsqr|zxing   paths of PGM pictures on stdin, one a line → for each a line of JSON: the texts in it
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

// pgm reads a binary PGM picture into RGBA.
function pgm(path) {
  const raw = readFileSync(path);
  const head = /^P5\s+(\d+)\s+(\d+)\s+255\s/.exec(raw.subarray(0, 64).toString("latin1"));
  const [width, height] = [Number(head[1]), Number(head[2])];
  const gray = raw.subarray(head[0].length);
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) data[4 * i] = data[4 * i + 1] = data[4 * i + 2] = gray[i];
  return { width, height, data, colorSpace: "srgb" };
}

async function reader(name) {
  if (name === "jsqr") {
    const jsqr = require("jsqr");
    return (img) => {
      const found = jsqr(img.data, img.width, img.height);
      return found ? [found.data] : [];
    };
  }
  const { prepareZXingModule, readBarcodes } = await import("zxing-wasm/reader");
  const wasm = readFileSync(require.resolve("zxing-wasm/reader/zxing_reader.wasm"));
  prepareZXingModule({ overrides: { wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength) } });
  return async (img) => {
    const found = await readBarcodes(img, { formats: ["QRCode"], tryHarder: true, maxNumberOfSymbols: 16 });
    return found.filter((f) => f.isValid).map((f) => f.text);
  };
}

const read = await reader(process.argv[2]);
for (const path of readFileSync(0, "utf8").trim().split("\n")) console.log(JSON.stringify(await read(pgm(path))));
