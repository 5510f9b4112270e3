"use strict";
// Sliders keep their place when the gallery is drawn anew: by the photo's number.
const places = new Map();
const number = element => element.closest("[data-number]")?.dataset.number;
document.addEventListener("input", event => {
  if (event.target.closest(".pair")) places.set(number(event.target), event.target.value);
});
new MutationObserver(() => {
  for (const input of document.querySelectorAll(".pair input:not([data-placed])")) {
    input.dataset.placed = "yes";
    const value = places.get(number(input));
    if (value === undefined) continue;
    input.value = value;
    input.parentNode.style.setProperty("--at", value + "%");
  }
}).observe(document.documentElement, { childList: true, subtree: true });
