// node ur.mjs encode SIZE COUNT   hex on stdin → COUNT parts, one a line
// node ur.mjs decode              parts on stdin → parts that were read, hex
import { readFileSync } from "node:fs";
import bcur from "@ngraveio/bc-ur";

const [verb, size, count] = process.argv.slice(2);
const input = readFileSync(0, "utf8").trim();
if (verb === "encode") {
  const encoder = new bcur.UREncoder(bcur.UR.fromBuffer(Buffer.from(input, "hex")), Number(size));
  for (let i = 0; i < Number(count); i++) console.log(encoder.nextPart());
} else {
  const decoder = new bcur.URDecoder();
  let read = 0;
  for (const line of input.split("\n")) {
    read++;
    decoder.receivePart(line);
    if (decoder.isComplete()) break;
  }
  if (!decoder.isSuccess()) throw new Error(`not complete after ${read} parts`);
  console.log(read, decoder.resultUR().decodeCBOR().toString("hex"));
}
