// Numbers of the page: typed arrays as base64 (see arrays.py), and the explorer's data with them unpacked.
"use strict";
var clipeval = clipeval || {};
{
  const KINDS = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array };

  const unpacked = (stored) => {
    const text = atob(stored.base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    return new KINDS[stored.kind](bytes.buffer);
  };

  // every {kind, base64} of a tree becomes its array
  const unpackedTree = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (typeof value.base64 === "string") return unpacked(value);
    if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(unpackedTree) : value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unpackedTree(one)]));
  };

  clipeval.read = (id) => {
    const data = unpackedTree(JSON.parse(document.getElementById(id).textContent));
    const captionsOf = data.ids.map(() => []);
    // of large data a caption may be here as an answer, without its picture
    data.imageOfCaption.forEach((image, caption) => captionsOf[image]?.push(caption));
    for (const model of data.models) {
      for (const direction of ["i2t", "t2i"]) {
        // place of each query's record; a query without right answers has none
        const side = model[direction];
        side.at = new Int32Array(direction === "i2t" ? data.ids.length : data.captions.length).fill(-1);
        side.queries.forEach((query, at) => { side.at[query] = at; });
      }
    }
    return { ...data, captionsOf };
  };
}
