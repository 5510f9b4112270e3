"use strict";
// Sliders keep their place when the gallery is drawn anew: by the photo's number.
const places = new Map();
const number = element => element.closest("[data-number]")?.dataset.number;
document.addEventListener("input", event => {
  if (event.target.closest(".pair")) places.set(number(event.target), event.target.value);
}, true);  // before the slider moves the pictures, which the observer below sees
new MutationObserver(() => {
  for (const input of document.querySelectorAll(".pair input")) {
    const value = places.get(number(input)) ?? "50", pair = input.parentNode;
    if (input.value !== value) input.value = value;
    if (pair.style.getPropertyValue("--at") !== value + "%") pair.style.setProperty("--at", value + "%");
  }
  // Gradio links its list of files to addresses that the server does not answer.
  for (const link of document.querySelectorAll("#photos a[href], #reference a[href]")) link.removeAttribute("href");
}).observe(document.documentElement,
  { childList: true, characterData: true, subtree: true, attributeFilter: ["style", "data-number", "href"] });
