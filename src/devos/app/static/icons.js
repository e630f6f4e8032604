// @ts-check
/** Small pictures for buttons, drawn here: not every system has signs for them. */

/** Paths in a square of 16. */
const PATHS = {
  locked: "M4 7h8v6H4z M5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  unlocked: "M4 7h8v6H4z M5.5 7V5a2.5 2.5 0 0 1 5-.8",
  seen: "M1.5 8C4 4 12 4 14.5 8 12 12 4 12 1.5 8z M8 6.2a1.8 1.8 0 1 0 .01 0",
  hidden: "M1.5 8C4 4 12 4 14.5 8 12 12 4 12 1.5 8z M3 13.5 13 2.5",
  solo: "M8 2.5a5.5 5.5 0 1 0 .01 0 M8 6.2a1.8 1.8 0 1 0 .01 0",
  remove: "M3.5 3.5l9 9 M12.5 3.5l-9 9",
  click: "M3 2l9 5-4 1.2L6.5 13z",
  box: "M2.5 3.5h11v9h-11z",
  brush: "M13.5 2.5 7 9 M7 9c-2-.5-3.5 1-3.5 2.5S2.5 13.5 2 13.5c3 .8 6.5 0 6.5-2.5z",
  eraser: "M6 13h7.5 M2.5 9.5l6-6.5 5 4.5-5 5.5H5z",
  polygon: "M8 2l6 4.5-2.5 7h-7L2 6.5z",
  fill: "M3 8l5-5 5 5-5 5z M13.5 10.5c1 1.5 1 2.5 0 2.5s-1-1 0-2.5",
  hand: "M8 1.5v13 M1.5 8h13 M8 1.5 6.5 3.5 M8 1.5l1.5 2 M8 14.5l-1.5-2 M8 14.5l1.5-2 M1.5 8l2-1.5 M1.5 8l2 1.5 M14.5 8l-2-1.5 M14.5 8l-2 1.5",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
