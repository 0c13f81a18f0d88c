// Every map and list of the page, each with its own data.
"use strict";
{
  const read = new Map();
  const data = (id) => {
    if (!read.has(id)) read.set(id, clipeval.read(id));
    return read.get(id);
  };
  for (const root of document.querySelectorAll("[data-map]")) clipeval.map(root, data(root.dataset.map));
  for (const root of document.querySelectorAll("[data-items]")) clipeval.items(root, data(root.dataset.items));
}
