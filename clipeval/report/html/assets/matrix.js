// The similarity matrix as the page holds it: single scores, or blocks with mean, least and largest score.
"use strict";
var clipeval = clipeval || {};
{
  class Matrix {
    constructor(stored) {
      [this.rows, this.columns] = stored.shape;
      [this.tall, this.wide] = stored.block;
      this.across = Math.ceil(this.columns / this.wide);
      this.down = Math.ceil(this.rows / this.tall);
      // least and largest scores of blocks have a coarser scale of their own
      Object.assign(this, { least: stored.mean, largest: stored.mean, outwards: stored }, stored);
      this.single = this.tall === 1 && this.wide === 1;
      // colours span what is drawn: single scores, or the means of blocks
      let [least, most] = [Infinity, -Infinity];
      for (const code of this.mean) {
        if (code < least) least = code;
        if (code > most) most = code;
      }
      [this.coldest, this.hottest] = [this.score(least), this.score(most)];
      this.extremes = this.single || Boolean(stored.least);
    }

    score(code, scale = this) { return scale.low + scale.step * code; }

    at(row, column) {
      return Math.floor(row / this.tall) * this.across + Math.floor(column / this.wide);
    }

    // mean, least, largest and number of the pairs in rows [top, bottom) and columns [left, right), whole blocks;
    // without `extremes`, least and largest are those of the means
    summary({ top, bottom, left, right }) {
      let sum = 0, pairs = 0, least = Infinity, largest = -Infinity;
      for (let row = top; row < bottom; row += this.tall) {
        const height = Math.min(this.tall, this.rows - row);
        for (let column = left; column < right; column += this.wide) {
          const at = this.at(row, column), size = height * Math.min(this.wide, this.columns - column);
          sum += this.mean[at] * size;
          pairs += size;
          if (this.least[at] < least) least = this.least[at];
          if (this.largest[at] > largest) largest = this.largest[at];
        }
      }
      return { pairs, mean: this.score(sum / pairs), least: this.score(least, this.outwards), largest: this.score(largest, this.outwards) };
    }

    // the places of a pair among the captions of its picture and among the pictures of its caption: first and
    // last possible one, since scores are kept rounded and those that round alike cannot be told apart; single
    // scores only
    places(row, column) {
      const mine = this.mean[this.at(row, column)];
      const among = (length, at) => {
        let higher = 0, alike = 0;
        for (let one = 0; one < length; one++) {
          const other = this.mean[at(one)];
          if (other > mine) higher++;
          else if (other === mine) alike++;
        }
        return [higher + 1, higher + alike];
      };
      return {
        captions: among(this.columns, (one) => row * this.across + one),
        pictures: among(this.rows, (one) => one * this.across + column),
      };
    }

    // means over bins of `tall` rows and `wide` columns, from (top, left): what one point on the screen shows
    binned({ top, left, down, across, tall, wide }) {
      // the last bins may be cut by the edge, blocks too: what is there is counted, nothing else
      const found = new Float32Array(down * across);
      const steps = { row: tall / this.tall, column: wide / this.wide };
      const firstRow = top / this.tall, firstColumn = left / this.wide;
      for (let y = 0; y < down; y++) {
        const lastRow = Math.min(firstRow + (y + 1) * steps.row, this.down);
        for (let x = 0; x < across; x++) {
          const lastColumn = Math.min(firstColumn + (x + 1) * steps.column, this.across);
          let sum = 0, pairs = 0;
          for (let row = firstRow + y * steps.row; row < lastRow; row++) {
            const height = Math.min(this.tall, this.rows - row * this.tall);
            if (this.single) {
              for (let at = row * this.across + firstColumn + x * steps.column, end = row * this.across + lastColumn; at < end; at++) sum += this.mean[at];
              pairs += Math.max(0, lastColumn - firstColumn - x * steps.column);
              continue;
            }
            for (let column = firstColumn + x * steps.column, at = row * this.across + column; column < lastColumn; column++, at++) {
              const size = height * Math.min(this.wide, this.columns - column * this.wide);
              sum += this.mean[at] * size;
              pairs += size;
            }
          }
          found[y * across + x] = pairs ? this.score(sum / pairs) : NaN;
        }
      }
      return found;
    }
  }
  clipeval.Matrix = Matrix;
}
