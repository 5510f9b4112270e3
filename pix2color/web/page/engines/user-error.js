/** An error whose message is for the person at the page. */
export class UserError extends Error {}
