// The heat map: a picture for each row, a caption for each column, drawn on a canvas.
"use strict";
var clipeval = clipeval || {};
{
  const LABELLED = 60; // up to so many rows or columns each has its own label
  const LEAST_CELLS = 4; // no closer than this
  const ROOM = 6; // pixels between borders of categories, on average, or there are none

  const shortened = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);
  const fixed = (value, signed) => (signed && value >= 0 ? "+" : "") + value.toFixed(3);

  clipeval.map = (root, data) => {
    const here = root.closest("section").id, itemsAt = here.replace(/map$/, "items");
    const find = (name) => root.querySelector(`[data-map-${name}]`);
    const canvas = root.querySelector("canvas"), pen = canvas.getContext("2d");
    const readout = root.querySelector(".readout"), hint = readout.innerHTML;
    const matrices = data.models.map((model) => new clipeval.Matrix(model.matrix));
    const { rows, columns, tall } = matrices[0];
    // right pairs: the captions before each block of rows, in drawing order
    const { before, groups } = data.map;
    const captionsOf = (top, bottom) => [before[Math.floor(top / tall)], before[Math.ceil(bottom / tall)]];
    const state = { model: data.best, minus: -1, view: null, cursor: null };
    let box, bins, scale, waiting = false;
    // for those who draw the words and tell what is under the pointer
    const map = {
      data, pen, rows, columns, itemsAt, captionsOf, shortened, fixed,
      x: (column) => x(column), y: (row) => y(row), redraw: () => redraw(), standard: (one, value) => standard(one, value),
      get box() { return box; }, get view() { return state.view; }, get first() { return matrix(); }, get second() { return other(); },
      get model() { return state.model; }, get minus() { return state.minus; },
    };
    const labels = clipeval.mapLabels(map), about = clipeval.mapReadout(map);

    const matrix = () => matrices[state.model];
    const other = () => (state.minus >= 0 && state.minus !== state.model ? matrices[state.minus] : null);
    const whole = () => ({ top: 0, bottom: rows, left: 0, right: columns });
    state.view = whole();

    // scales of models differ: their scores are compared in standard deviations from their means
    const standard = (one, value) => (one.deviation ? (value - one.average) / one.deviation : 0);

    function redraw() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    }

    function layOut() {
      const width = canvas.clientWidth, narrow = width < 520;
      const labelled = rows <= LABELLED;
      const left = labelled ? (narrow ? 34 : 150) : (data.categories.length ? (narrow ? 64 : 110) : 12);
      const captions = columns <= LABELLED && (width - left) / columns >= 12;
      const right = captions ? (narrow ? 30 : 62) : 1; // the last captions lean beyond the map
      const cell = (width - left - right) / columns;
      const top = captions ? (narrow ? 70 : 130) : (data.categories.length ? 24 : 4);
      const height = labelled ? Math.max(260, rows * Math.min(30, Math.max(20, cell))) : Math.min(640, Math.max(320, width * 0.72));
      box = { left, top, width: width - left - right, height, captions, narrow, whole: height + top + 1 };
      const dots = window.devicePixelRatio || 1;
      canvas.style.height = `${box.whole}px`;
      canvas.width = Math.round(width * dots);
      canvas.height = Math.round(box.whole * dots);
      pen.setTransform(dots, 0, 0, dots, 0, 0);
    }

    // bins are whole blocks and begin at multiples of their size, so that moving does not change them
    function chooseBins() {
      const { tall, wide } = matrix(), view = state.view;
      const bin = (length, block, room) => block * Math.max(1, Math.ceil(length / block / room));
      const size = { tall: bin(view.bottom - view.top, tall, box.height), wide: bin(view.right - view.left, wide, box.width) };
      const top = Math.floor(view.top / size.tall) * size.tall, left = Math.floor(view.left / size.wide) * size.wide;
      bins = {
        ...size, top, left,
        down: Math.ceil((view.bottom - top) / size.tall), across: Math.ceil((view.right - left) / size.wide),
      };
    }

    const x = (column) => box.left + ((column - state.view.left) / (state.view.right - state.view.left)) * box.width;
    const y = (row) => box.top + ((row - state.view.top) / (state.view.bottom - state.view.top)) * box.height;

    function values() {
      const found = matrix().binned(bins), less = other();
      if (!less) return found;
      const second = less.binned(bins);
      return found.map((value, at) => standard(matrix(), value) - standard(less, second[at]));
    }

    function range() {
      const less = other();
      if (!less) return [matrix().coldest, matrix().hottest];
      const key = `${state.model} ${state.minus}`;
      if (scale?.key !== key) {
        const first = matrix();
        let most = 0;
        for (let at = 0; at < first.mean.length; at++) {
          const value = standard(first, first.score(first.mean[at])) - standard(less, less.score(less.mean[at]));
          if (Math.abs(value) > most) most = Math.abs(value);
        }
        scale = { key, most };
      }
      return [-scale.most, scale.most];
    }

    function heat() {
      const found = values(), [low, high] = range(), { across, down } = bins;
      const colours = other() ? clipeval.colours.difference : clipeval.colours.score;
      const pixels = new ImageData(across, down), dots = new Uint32Array(pixels.data.buffer);
      for (let at = 0; at < found.length; at++) {
        if (Number.isNaN(found[at])) continue; // a bin beyond the last row or column stays clear
        const place = high > low ? Math.round((255 * (found[at] - low)) / (high - low)) : 127;
        dots[at] = colours[Math.max(0, Math.min(255, place))];
      }
      const sheet = document.createElement("canvas");
      [sheet.width, sheet.height] = [across, down];
      sheet.getContext("2d").putImageData(pixels, 0, 0);
      return sheet;
    }

    let cached = { key: "" };
    function draw() {
      if (!canvas.clientWidth) return;
      layOut();
      chooseBins();
      const style = getComputedStyle(root), colour = (name) => style.getPropertyValue(`--${name}`).trim();
      pen.clearRect(0, 0, canvas.clientWidth, box.whole);
      const key = JSON.stringify([bins, state.model, state.minus]);
      if (cached.key !== key) cached = { key, sheet: heat() };
      pen.save();
      pen.beginPath();
      pen.rect(box.left, box.top, box.width, box.height);
      pen.clip();
      pen.imageSmoothingEnabled = false;
      const [left, top] = [x(bins.left), y(bins.top)];
      pen.drawImage(cached.sheet, left, top, x(bins.left + bins.across * bins.wide) - left, y(bins.top + bins.down * bins.tall) - top);
      borders();
      rightPairs(colour("right"));
      cursor(colour("ink"), colour("paper"));
      pen.restore();
      labels(colour("ink"), colour("soft"), style.fontFamily);
    }

    // where there is room between them: a map of many small categories would be all borders
    function borders() {
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 1.5;
      pen.beginPath();
      const inside = (side, from, to) => groups.slice(1).map((group) => group[side]).filter((place) => place > from && place < to);
      const { top, bottom, left, right } = state.view;
      const [down, across] = [inside(1, top, bottom), inside(2, left, right)];
      if (box.height / down.length >= ROOM) for (const row of down) { pen.moveTo(box.left, y(row)); pen.lineTo(box.left + box.width, y(row)); }
      if (box.width / across.length >= ROOM) for (const column of across) { pen.moveTo(x(column), box.top); pen.lineTo(x(column), box.top + box.height); }
      pen.stroke();
    }

    // a frame around the captions of each picture where there is room, else a dot
    function rightPairs(colour) {
      const high = (box.height / (state.view.bottom - state.view.top)) * tall, wide = box.width / (state.view.right - state.view.left);
      const line = Math.min(2, Math.max(1, high / 8));
      for (let at = Math.max(0, Math.floor(state.view.top / tall)); at * tall < Math.min(rows, state.view.bottom); at++) {
        const [from, to] = [before[at], before[at + 1]], width = (to - from) * wide;
        pen.fillStyle = colour;
        if (tall === 1 && high >= 6 && width >= 6) {
          // white around it: no colour of the scale is far from all others
          for (const [ink, thick] of [["#ffffff", line + 1.5], [colour, line]]) {
            pen.strokeStyle = ink;
            pen.lineWidth = thick;
            pen.strokeRect(x(from) + 1.5, y(at) + 1.5, width - 3, high - 3);
          }
        } else pen.fillRect(x((from + to) / 2) - 1, y((at + 0.5) * tall) - 1, 2, 2);
      }
    }

    function cursor(ink, paper) {
      if (!state.cursor) return;
      const bin = binAt(state.cursor);
      const place = [x(bin.left), y(bin.top), Math.max(3, x(bin.right) - x(bin.left)), Math.max(3, y(bin.bottom) - y(bin.top))];
      for (const [colour, width] of [[paper, 5], [ink, 2.5]]) { pen.strokeStyle = colour; pen.lineWidth = width; pen.strokeRect(...place); }
    }

    // the bin that holds a pair, in rows and columns
    function binAt({ row, column }) {
      const top = Math.floor(row / bins.tall) * bins.tall, left = Math.floor(column / bins.wide) * bins.wide;
      return { top, left, bottom: Math.min(top + bins.tall, rows), right: Math.min(left + bins.wide, columns) };
    }

    function under(event) {
      const place = canvas.getBoundingClientRect();
      const across = (event.clientX - place.left - box.left) / box.width, down = (event.clientY - place.top - box.top) / box.height;
      if (across < 0 || across >= 1 || down < 0 || down >= 1) return null;
      const view = state.view;
      const row = Math.floor(view.top + down * (view.bottom - view.top)), column = Math.floor(view.left + across * (view.right - view.left));
      return { row: Math.min(row, rows - 1), column: Math.min(column, columns - 1) };
    }

    function point(cell) {
      if (cell?.row === state.cursor?.row && cell?.column === state.cursor?.column) return;
      state.cursor = cell;
      tell();
      redraw();
    }

    function tell() {
      if (!state.cursor) readout.innerHTML = hint; // this page's own text
      else readout.replaceChildren(...about(binAt(state.cursor), state.cursor));
    }

    function zoom(factor, about) {
      const view = state.view, middle = about || state.cursor || { row: (view.top + view.bottom) / 2, column: (view.left + view.right) / 2 };
      const least = { rows: Math.min(rows, LEAST_CELLS * matrix().tall), columns: Math.min(columns, LEAST_CELLS * matrix().wide) };
      const height = Math.min(rows, Math.max(least.rows, (view.bottom - view.top) * factor));
      const width = Math.min(columns, Math.max(least.columns, (view.right - view.left) * factor));
      const down = (middle.row + 0.5 - view.top) / (view.bottom - view.top), across = (middle.column + 0.5 - view.left) / (view.right - view.left);
      look(middle.row + 0.5 - down * height, middle.column + 0.5 - across * width, height, width);
    }

    function look(top, left, height, width) {
      top = Math.max(0, Math.min(rows - height, top));
      left = Math.max(0, Math.min(columns - width, left));
      state.view = { top, bottom: top + height, left, right: left + width };
      layOut();
      chooseBins();
      tell();
      redraw();
    }

    function move(down, across) {
      const view = state.view, at = state.cursor;
      if (!at) return point({ row: Math.floor(view.top), column: Math.floor(view.left) }); // any arrow begins at the first cell
      const row = Math.max(0, Math.min(rows - 1, at.row + down * bins.tall)), column = Math.max(0, Math.min(columns - 1, at.column + across * bins.wide));
      const height = view.bottom - view.top, width = view.right - view.left;
      const inside = (place, start, length) => (place < start ? place : place >= start + length ? place - length + 1 : start);
      look(inside(row, view.top, height), inside(column, view.left, width), height, width);
      point({ row, column });
    }

    const keys = {
      ArrowUp: () => move(-1, 0), ArrowDown: () => move(1, 0), ArrowLeft: () => move(0, -1), ArrowRight: () => move(0, 1),
      "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "-": () => zoom(1.5), 0: all, Home: all,
      Enter: () => readout.querySelector("a")?.click(), Escape: () => point(null),
    };
    function all() { look(0, 0, rows, columns); }

    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.altKey || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a plain wheel moves the page
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1 / 1.25 : 1.25, under(event));
    }, { passive: false });
    let held = null;
    canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, view: state.view }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", () => { held = null; });
    canvas.addEventListener("pointercancel", () => { held = null; });
    canvas.addEventListener("pointermove", (event) => {
      if (held && event.buttons) {
        const { view } = held, height = view.bottom - view.top, width = view.right - view.left;
        if (height < rows || width < columns) look(view.top - ((event.clientY - held.y) / box.height) * height, view.left - ((event.clientX - held.x) / box.width) * width, height, width);
      }
      point(under(event));
    });
    canvas.addEventListener("dblclick", (event) => zoom(1 / 2, under(event)));
    find("in").addEventListener("click", () => zoom(1 / 1.5));
    find("out").addEventListener("click", () => zoom(1.5));
    find("all").addEventListener("click", all);

    function settle() {
      const [low, high] = range(), second = other(), one = matrix();
      root.querySelector(".ramp").classList.toggle("difference", Boolean(second));
      find("low").textContent = fixed(low, Boolean(second));
      find("high").textContent = fixed(high, Boolean(second));
      const kept = one.single
        ? `Scores are rounded to steps of ${one.step.toPrecision(2)}.`
        : `This page holds blocks of ${one.tall} pictures by ${one.wide} captions: ${one.extremes ? `mean score, rounded to steps of ${one.step.toPrecision(2)}, least and largest, rounded outwards to steps of ${one.outwards.step.toPrecision(2)}` : `mean score, rounded to steps of ${one.step.toPrecision(2)}; the extremes of so many pairs were not looked for`}.`;
      find("note").textContent = second
        ? `Each model's scores are taken in standard deviations from their mean, since scales of different models are not comparable; violet: the first scores higher, orange: the second. ${kept}`
        : kept;
      tell();
      redraw();
    }
    const chosen = () => {
      clipeval.remember(here, { model: state.model === data.best ? "" : state.model, minus: state.minus >= 0 ? state.minus : "" });
    };
    find("model").addEventListener("change", (event) => { state.model = Number(event.target.value); settle(); chosen(); });
    find("minus")?.addEventListener("change", (event) => { state.minus = event.target.value === "" ? -1 : Number(event.target.value); settle(); chosen(); });

    function restore() {
      const { section, settings } = clipeval.place();
      if (section !== here) return;
      const known = (name) => (settings.has(name) && data.models[settings.get(name)] ? Number(settings.get(name)) : null);
      state.model = known("model") ?? data.best;
      state.minus = known("minus") ?? -1;
      find("model").value = String(state.model);
      if (find("minus")) find("minus").value = state.minus < 0 ? "" : String(state.minus);
      settle();
    }
    window.addEventListener("hashchange", restore);
    document.addEventListener("clipeval-theme", redraw);
    new ResizeObserver(redraw).observe(canvas.parentElement);
    root.querySelector(".controls").hidden = root.querySelector(".map-body").hidden = false;
    find("model").value = String(state.model);
    layOut();
    chooseBins();
    settle();
    restore();
  };
}
