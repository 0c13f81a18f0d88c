// Light or dark: as the system says, until the button is pressed; the choice is kept where the browser allows.
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("clipeval-theme"); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem("clipeval-theme", theme); } catch { /* not allowed here */ } };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => {
    button.textContent = isDark() ? "light" : "dark";
    button.setAttribute("aria-label", `Switch to ${button.textContent} colours`);
    document.dispatchEvent(new Event("clipeval-theme"));
  };
  if (kept() === "light" || kept() === "dark") root.dataset.theme = kept();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    keep(root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  button.hidden = false;
  show();
})();
