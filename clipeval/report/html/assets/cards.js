// One query as a card: what was found for it, the right answers marked, by one model or by two side by side.
"use strict";
var clipeval = clipeval || {};
{
  const make = (tag, kind, ...children) => {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    node.append(...children);
    return node;
  };
  // names and captions may hold either direction of writing: each is a world of its own
  const named = (words) => make("bdi", "", words);
  const place = (rank) => (Number.isInteger(rank) ? String(rank) : rank.toFixed(1));

  const picture = (data, item) => {
    if (!data.pictures[item]) return make("span", "nopicture", named(data.captionsOf[item].map((at) => data.captions[at])[0]));
    const image = make("img");
    image.src = data.pictures[item];
    image.alt = data.ids[item];
    image.loading = "lazy";
    image.decoding = "async";
    return image;
  };

  const outcome = (side, at) => {
    if (side.hit[at] >= 1) return make("span", "chip hit", "right one first");
    if (side.hit[at] > 0) return make("span", "chip tie", "tie for the first place");
    return make("span", "chip missed", `right one at rank ${place(side.rank[at])}`);
  };

  const margin = (side, at) => {
    if (side.rival[at] < 0) return "";
    const value = side.score[at] - side.rivalScore[at];
    return `margin ${value >= 0 ? "+" : ""}${value.toFixed(3)}`;
  };

  const listed = (side, at, top) => {
    const from = at * side.length;
    return Array.from(side.top.subarray(from, from + Math.min(top, side.length)), (candidate, place) => ({
      candidate, place: place + 1, score: side.topScore[from + place],
    }));
  };

  const textRow = (data, { candidate, place, score }, right) => make(
    "li", right ? "right" : "",
    make("span", "place", String(place)), named(data.captions[candidate]), make("span", "score", score.toFixed(3)),
    ...(right ? [make("span", "unseen", "right")] : []),
  );

  const pictureCell = (data, { candidate, place, score }, right) => make(
    "li", right ? "right" : "",
    make("figure", "", picture(data, candidate), make("figcaption", "", `${place} · ${score.toFixed(3)}${right ? " · right" : ""}`)),
  );

  // the best right answer of a query that the list does not reach
  const missing = (data, direction, query, side, at, shown) => {
    const right = (candidate) => (direction === "t2i" ? candidate === data.imageOfCaption[query] : data.imageOfCaption[candidate] === query);
    if (shown.some(({ candidate }) => right(candidate))) return [];
    const entry = { place: place(side.rank[at]), score: side.score[at] };
    return [(direction === "t2i" ? pictureCell : textRow)(data, { ...entry, candidate: side.right[at] }, true)];
  };

  const sideOf = (data, { direction, query, model, top, name }) => {
    const side = data.models[model][direction], at = side.at[query];
    const head = make("p", "", ...(name ? [make("strong", "", named(name))] : []), outcome(side, at), margin(side, at));
    const shown = listed(side, at, top);
    const right = (candidate) => (direction === "t2i" ? candidate === data.imageOfCaption[query] : data.imageOfCaption[candidate] === query);
    const row = direction === "t2i" ? pictureCell : textRow;
    const list = make("ol", direction === "t2i" ? "found" : "texts",
      ...shown.map((entry) => row(data, entry, right(entry.candidate))), ...missing(data, direction, query, side, at, shown));
    return make("div", "side", head, list);
  };

  clipeval.card = (data, { direction, query, models, top, here }) => {
    const item = direction === "t2i" ? data.imageOfCaption[query] : query;
    const category = data.categories[data.category[item]];
    const link = make("a", "where", named(data.ids[item]));
    link.href = clipeval.address(here, { direction, item: data.ids[item], ...(models.length > 1 ? { beside: models[1] } : {}), ...(models[0] !== data.best ? { model: models[0] } : {}) });
    link.title = "link to this item";
    const words = direction === "t2i" ? make("h3", "", "“", named(data.captions[query]), "”") : make("h3", "", named(data.ids[item].split("/").pop()));
    const change = models.length > 1 ? turned(data, direction, query, models) : [];
    const header = make("header", "", words, ...change, ...(category === undefined ? [] : [make("span", "tag", named(category))]), link);
    const sides = make("div", models.length > 1 ? "sides two" : "sides", ...models.map((model) => sideOf(data, {
      direction, query, model, top, name: models.length > 1 ? data.models[model].name : "",
    })));
    const body = direction === "i2t" ? make("div", "query", picture(data, item), sides) : sides;
    return make("li", "card", header, body);
  };

  function turned(data, direction, query, [first, second]) {
    const hits = [first, second].map((model) => { const side = data.models[model][direction]; return side.hit[side.at[query]]; });
    if (hits[0] === hits[1]) return [];
    return [hits[0] > hits[1] ? make("span", "chip lost", "lost") : make("span", "chip gained", "gained")];
  }
}
