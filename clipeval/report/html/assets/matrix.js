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
      Object.assign(this, stored, { least: stored.least || stored.mean, largest: stored.largest || stored.mean });
      this.single = this.tall === 1 && this.wide === 1;
    }

    score(code) { return this.low + this.step * code; }

    at(row, column) {
      return Math.floor(row / this.tall) * this.across + Math.floor(column / this.wide);
    }

    // mean, least, largest and number of the pairs in rows [top, bottom) and columns [left, right), whole blocks
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
      return { pairs, mean: this.score(sum / pairs), least: this.score(least), largest: this.score(largest) };
    }

    // how many captions score higher with this picture, and pictures with this caption; single scores only
    higher(row, column) {
      const mine = this.mean[this.at(row, column)];
      let captions = 0, pictures = 0;
      for (let one = 0; one < this.columns; one++) if (this.mean[row * this.across + one] > mine) captions++;
      for (let one = 0; one < this.rows; one++) if (this.mean[one * this.across + column] > mine) pictures++;
      return { captions, pictures };
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
