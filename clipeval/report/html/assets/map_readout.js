// What the heat map tells of the pair, or of the block of pairs, under the pointer.
"use strict";
var clipeval = clipeval || {};
{
  const NAMED = 3; // categories of a block, before the others are counted

  const text = (tag, words, kind) => {
    const node = document.createElement(tag);
    node.textContent = words;
    if (kind) node.className = kind;
    return node;
  };
  const facts = (entries) => {
    const list = document.createElement("dl");
    for (const [name, value] of entries) list.append(text("dt", name), text("dd", value));
    return list;
  };

  // `map` as in map_labels.js
  clipeval.mapReadout = (map) => {
    const { data, fixed, standard, shortened } = map;
    const names = (model) => shortened(data.models[model].name, 28);

    function aboutPair({ row, column }) {
      const item = data.map.rows[row], caption = data.map.columns[column], parts = [];
      if (data.pictures[item]) {
        const image = document.createElement("img");
        image.src = data.pictures[item];
        image.alt = data.ids[item];
        parts.push(image);
      }
      const { first, second } = map, value = first.score(first.mean[first.at(row, column)]);
      const right = data.imageOfCaption[caption] === item;
      const against = second && second.score(second.mean[second.at(row, column)]);
      const big = second ? fixed(standard(first, value) - standard(second, against), true) : fixed(value);
      parts.push(text("p", big, "big"), text("p", data.captions[caption]), text("p", data.ids[item], "note"));
      parts.push(text("p", right ? "right pair" : "wrong pair", right ? "chip hit" : "chip"));
      const places = first.places(row, column);
      const among = ([from, to], all) => `${from.toLocaleString()}${to > from ? ` to ${to.toLocaleString()}` : ""} of ${all.toLocaleString()}`;
      parts.push(facts([
        ...(second ? [[names(map.model), fixed(value)], [names(map.minus), fixed(against)]] : []),
        ["among captions", among(places.captions, map.columns)],
        ["among pictures", among(places.pictures, map.rows)],
      ]));
      const link = text("a", "all about this picture");
      link.href = clipeval.address(map.itemsAt, { direction: "i2t", item: data.ids[item] });
      parts.push(link);
      return parts;
    }

    // the categories of rows (1) or columns (2) from one place up to another
    function categories(side, from, to) {
      const { groups } = data.map;
      const names = groups.filter((group, at) => group[side] < to && (groups[at + 1]?.[side] ?? Infinity) > from).map(([category]) => data.categories[category] ?? "no category");
      return names.length > NAMED ? `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more` : names.join(", ");
    }

    function aboutBin(bin) {
      const { first, second } = map, summary = first.summary(bin), other = second?.summary(bin);
      const range = (one) => `${fixed(one.mean)}${first.extremes ? ` (${fixed(one.least)} to ${fixed(one.largest)})` : ""}`;
      const [from, to] = map.captionsOf(bin.top, bin.bottom);
      const extremes = first.extremes ? [["least", fixed(summary.least)], ["largest", fixed(summary.largest)]] : [];
      return [
        text("p", other ? fixed(standard(first, summary.mean) - standard(second, other.mean), true) : fixed(summary.mean), "big"),
        text("p", `mean of ${summary.pairs.toLocaleString()} pairs: ${bin.bottom - bin.top} pictures by ${bin.right - bin.left} captions`),
        facts([
          ...(other ? [[names(map.model), range(summary)], [names(map.minus), range(other)]] : extremes),
          ["right pairs", Math.max(0, Math.min(to, bin.right) - Math.max(from, bin.left)).toLocaleString()],
          ...(data.categories.length ? [["pictures of", categories(1, bin.top, bin.bottom)], ["captions of", categories(2, bin.left, bin.right)]] : []),
          ...(data.map.rows ? [["first picture", data.ids[data.map.rows[bin.top]]], ["first caption", data.captions[data.map.columns[bin.left]]]] : []),
        ]),
        text("p", first.single ? "Zoom in for single pairs." : "Single pairs are under Items: a query's best and its right ones.", "hint"),
      ];
    }

    return (bin, cursor) => (map.first.single && (bin.bottom - bin.top) * (bin.right - bin.left) === 1 ? aboutPair(cursor) : aboutBin(bin));
  };
}
