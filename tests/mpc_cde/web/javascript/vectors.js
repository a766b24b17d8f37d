// The shared vectors, and where the pages' modules are.

import { readFileSync } from "node:fs";

const FOLDER = new URL("../../../vectors/", import.meta.url);



export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf-8"));
}
