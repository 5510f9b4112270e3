// The engine of this page. A static site has another line here: see site.py.
export { Engine } from "./engines/server.js";
