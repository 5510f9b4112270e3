// The line at the bottom that says what could not be done, or what can be undone.

const $ = id => document.getElementById(id);
let telling = 0;

/** Show a message, with a button for what can be done about it. */
export function tell(message, action = "", work = null, milliseconds = 0) {
  clearTimeout(telling);
  $("message").hidden = false;
  $("message-text").textContent = message;
  $("message-action").hidden = !action;
  $("message-action").textContent = action;
  $("message-action").onclick = () => {
    $("message").hidden = true;
    work();
  };
  if (milliseconds) telling = setTimeout(() => ($("message").hidden = true), milliseconds);
}
