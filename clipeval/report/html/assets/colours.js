// Two colour scales that colour-blind readers can follow: viridis for scores, orange to violet for differences.
"use strict";
var clipeval = clipeval || {};
{
  const table = (anchors) => {
    const colours = new Uint32Array(256); // as a canvas has them: red in the lowest byte
    for (let at = 0; at < 256; at++) {
      const place = (at / 255) * (anchors.length - 1);
      const left = Math.min(Math.floor(place), anchors.length - 2);
      colours[at] = 0xff000000;
      for (let part = 0; part < 3; part++) {
        const [low, high] = [left, left + 1].map((one) => parseInt(anchors[one].slice(2 * part, 2 * part + 2), 16));
        colours[at] |= Math.round(low + (high - low) * (place - left)) << (8 * part);
      }
    }
    return colours;
  };
  clipeval.colours = {
    score: table(["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"]),
    difference: table(["7f3b08", "e08214", "fdd8a7", "f7f7f7", "c9cae4", "7a6fac", "2d004b"]),
  };
}
