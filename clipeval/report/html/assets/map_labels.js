// The words beside the heat map: names of pictures and captions where there is room, else of categories.
"use strict";
var clipeval = clipeval || {};
{
  // `map` is what map.js hands out of itself: data, pen, box, view and the places of rows and columns on the screen
  clipeval.mapLabels = (map) => {
    const { data, pen, shortened } = map, images = new Map();

    function draw(ink, soft, family) {
      const { box, view } = map;
      pen.font = `11px ${family}`;
      pen.textBaseline = "middle";
      const tall = box.height / (view.bottom - view.top), wide = box.width / (view.right - view.left);
      if (tall >= 18 && data.map.rows) rowLabels(ink, tall);
      else categories(1, map.y, box.top, box.top + box.height, (name, from, to) => {
        if (to - from < 11) return;
        pen.fillStyle = soft;
        pen.textAlign = "right";
        pen.fillText(shortened(name, box.narrow ? 9 : 16), box.left - 6, (from + to) / 2);
      });
      if (box.captions && wide >= 12 && data.map.columns) columnLabels(ink);
      else categories(2, map.x, box.left, box.left + box.width, (name, from, to) => {
        const fits = Math.floor((to - from) / 6.2);
        if (fits < 3) return;
        pen.fillStyle = soft;
        pen.textAlign = "center";
        pen.fillText(shortened(name, fits), (from + to) / 2, box.top - 10);
      });
    }

    // each category with the part of its stretch that is on the screen
    function categories(side, place, least, most, tell) {
      if (!data.categories.length) return;
      const { groups } = data.map, end = side === 1 ? map.rows : map.columns;
      groups.forEach(([category, ...starts], at) => {
        const from = Math.max(place(starts[side - 1]), least), to = Math.min(place(groups[at + 1]?.[side] ?? end), most);
        if (to > from) tell(data.categories[category] ?? "", from, to);
      });
    }

    function rowLabels(ink, tall) {
      const { box, view } = map;
      pen.fillStyle = ink;
      pen.textAlign = "right";
      for (let row = Math.ceil(view.top - 0.5); row < Math.min(map.rows, view.bottom - 0.5); row++) {
        const item = data.map.rows[row], side = Math.min(28, tall - 2), middle = map.y(row + 0.5);
        const image = picture(item);
        if (image?.complete && image.naturalWidth) {
          const crop = Math.min(image.naturalWidth, image.naturalHeight);
          pen.drawImage(image, (image.naturalWidth - crop) / 2, (image.naturalHeight - crop) / 2, crop, crop, box.left - side - 4, middle - side / 2, side, side);
        }
        if (!box.narrow) pen.fillText(shortened(data.ids[item].split("/").pop(), 18), box.left - (image ? side + 9 : 6), middle);
      }
    }

    function picture(item) {
      if (!data.pictures[item]) return null;
      if (!images.has(item)) {
        const image = new Image();
        image.onload = map.redraw;
        image.src = data.pictures[item];
        images.set(item, image);
      }
      return images.get(item);
    }

    function columnLabels(ink) {
      const { box, view } = map;
      pen.fillStyle = ink;
      pen.textAlign = "left";
      for (let column = Math.ceil(view.left - 0.5); column < Math.min(map.columns, view.right - 0.5); column++) {
        pen.save();
        pen.translate(map.x(column + 0.5), box.top - 5);
        pen.rotate(-Math.PI / 3.2);
        pen.fillText(shortened(data.captions[data.map.columns[column]], box.narrow ? 12 : 24), 0, 0);
        pen.restore();
      }
    }

    return draw;
  };
}
