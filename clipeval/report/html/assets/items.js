// The list of queries: filtered, ordered, searched and paged; every state of it has an address.
"use strict";
var clipeval = clipeval || {};
{
  const PAGE = 20; // cards at a time: the page stays small however many items there are
  const PRINTED = 200; // on paper, from the first of those on the screen

  clipeval.items = (root, data) => {
    const here = root.closest("section").id;
    const form = root.querySelector("form"), cards = root.querySelector(".cards"), status = root.querySelector(".status");
    const pager = root.querySelector(".pager"), [before, after] = pager.querySelectorAll("button");
    const searched = { i2t: data.ids.map((id, item) => [id, ...data.captionsOf[item].map((at) => data.captions[at])].join("\n").toLowerCase()), t2i: data.captions.map((caption, at) => `${caption}\n${data.ids[data.imageOfCaption[at]]}`.toLowerCase()) };
    const field = (name) => form.elements[name];
    const directions = [...form.querySelectorAll("input[type=radio]")];
    const blank = { direction: "t2i", model: String(data.best), beside: String(data.beside ?? "none"), show: "", category: "", order: "", top: String(field("top").value), search: "" };
    let state = { ...blank, item: "", page: 0 };

    const models = () => [Number(state.model), ...(state.beside !== "none" && state.beside !== state.model ? [Number(state.beside)] : [])];

    function chosen() {
      const [first, second] = models(), { direction } = state, side = data.models[first][direction];
      const later = second === undefined ? null : data.models[second][direction];
      const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
      const item = (query) => (direction === "t2i" ? data.imageOfCaption[query] : query);
      const wanted = (query, at) => {
        if (state.item) return data.ids[item(query)] === state.item;
        if (state.category !== "" && data.category[item(query)] !== Number(state.category)) return false;
        if (state.show === "hit" && side.hit[at] < 1) return false;
        if (state.show === "tied" && (side.hit[at] <= 0 || side.hit[at] >= 1)) return false;
        if (state.show === "missed" && side.hit[at] > 0) return false;
        if (state.show === "lost" && !(later && later.hit[later.at[query]] < side.hit[at])) return false;
        if (state.show === "gained" && !(later && later.hit[later.at[query]] > side.hit[at])) return false;
        return words.every((word) => searched[direction][query].includes(word));
      };
      const found = Array.from(side.queries).filter((query, at) => wanted(query, at));
      const key = {
        margin: (query) => side.score[side.at[query]] - side.rivalScore[side.at[query]],
        rank: (query) => -side.rank[side.at[query]],
        change: (query) => (later ? -Math.abs(side.rank[side.at[query]] - later.rank[later.at[query]]) : 0),
      }[state.order];
      return key ? found.map((query) => [key(query), query]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, query]) => query) : found;
    }

    function show(most = PAGE) {
      const found = chosen(), pages = Math.max(1, Math.ceil(found.length / PAGE));
      state.page = Math.min(state.page, pages - 1);
      const from = state.page * PAGE, shown = found.slice(from, from + most);
      cards.start = from + 1;
      cards.replaceChildren(...shown.map((query) => clipeval.card(data, { direction: state.direction, query, models: models(), top: Number(state.top), here })));
      tell(found.length, from, shown.length);
      pager.hidden = pages < 2;
      before.disabled = state.page === 0;
      after.disabled = state.page === pages - 1;
      pager.querySelector("span").textContent = `page ${state.page + 1} of ${pages}`;
    }

    function tell(number, from, shown) {
      const [first, second] = models(), side = data.models[first][state.direction];
      const what = state.direction === "t2i" ? "captions" : "pictures", part = side.kept < side.all;
      const all = `${side.kept.toLocaleString()} ${what}${part ? " in this page" : ""}`;
      const shownNow = shown < number ? `, ${(from + 1).toLocaleString()} to ${(from + shown).toLocaleString()} shown` : "";
      const inAll = part && !state.item && !state.search ? foundInAll(side, second) : "";
      status.textContent = (number ? `${number.toLocaleString()} of ${all}${shownNow}` : `None of ${all}`) + (inAll || (number ? "" : ".")) ;
      if ((state.show === "lost" || state.show === "gained") && models().length < 2) status.textContent = "Choose a second model under “Beside” to see what it lost or gained.";
      if (state.item) {
        const link = document.createElement("a");
        link.href = clipeval.address(here, { ...changed(), item: "" });
        link.textContent = "show all";
        status.append(" ", link);
      }
    }

    // what the same filter and category find in all data, where the page holds a part of them; a search cannot know
    function foundInAll({ found, all }, second) {
      const { show, category } = state, counts = Array.isArray(found[show]) ? found[show][second] : found[show || "all"];
      if (!counts) return ""; // no second model
      const number = category === "" ? counts.reduce((sum, one) => sum + one, 0) : counts[category];
      return `; in all data ${number.toLocaleString()} of ${all.toLocaleString()}`;
    }

    const changed = () => Object.fromEntries(Object.entries({ ...state, page: state.page ? String(state.page + 1) : "" }).filter(([name, value]) => value !== blank[name]));

    function update({ page = 0, item = "" } = {}) {
      const values = new FormData(form);
      state = { ...state, page, item };
      for (const name of Object.keys(blank)) if (field(name)) state[name] = name === "direction" ? directions.find((one) => one.checked).value : String(values.get(name));
      show();
      clipeval.remember(here, changed());
    }

    function restore() {
      const { section, settings } = clipeval.place();
      if (section !== here || (![...settings].length && !state.item)) return;
      state = { ...blank, item: settings.get("item") || "", page: Math.max(0, Number(settings.get("page") || 1) - 1) || 0 };
      for (const name of Object.keys(blank)) {
        const wanted = settings.get(name) ?? blank[name];
        if (name === "direction") { const one = directions.find((each) => each.value === wanted) || directions[0]; one.checked = true; state.direction = one.value; }
        else if (field(name)) {
          field(name).value = wanted;
          if (field(name).value !== wanted) field(name).value = blank[name]; // an address from elsewhere
          state[name] = field(name).value;
        }
      }
      show();
      root.closest("section").scrollIntoView();
    }

    let typing;
    form.addEventListener("input", (event) => {
      clearTimeout(typing);
      if (event.target.type === "search") typing = setTimeout(update, 120);
      else update();
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); update(); });
    for (const [button, step] of [[before, -1], [after, 1]]) button.addEventListener("click", () => { update({ page: state.page + step, item: state.item }); root.closest("section").scrollIntoView(); });
    window.addEventListener("hashchange", restore);
    window.addEventListener("beforeprint", () => show(PRINTED));
    window.addEventListener("afterprint", () => show());
    form.hidden = false;
    field("model").value = blank.model;
    if (field("beside")) field("beside").value = blank.beside;
    show();
    restore();
  };
}
