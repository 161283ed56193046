// The page's behaviour. All texts come from models and data sets: they are only ever set as text,
// never as markup.
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const several = data.runs.length > 1;
const percent = (x) => (100 * x).toFixed(1);

function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "text", "rect", "circle"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A select with its choices as [value, text]; hidden where there is nothing to choose.
function choices(id, pairs, value, changed) {
  byId(id).replaceChildren(...pairs.map(([name, text]) => el("option", { value: name }, text)));
  byId(id).value = value;
  byId(id).addEventListener("change", (event) => changed(event.target.value));
  byId(`${id}-choice`).hidden = pairs.length < 2;
}

// Theme: the reader's system decides (in the head, before anything is drawn) until the button is
// pressed. Paper is white, and nobody can open what is folded there.
const root = document.documentElement;
const setTheme = (dark) => { root.dataset.theme = dark ? "dark" : "light"; };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches));
byId("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));
let onScreen = root.dataset.theme;
addEventListener("beforeprint", () => {
  onScreen = root.dataset.theme;
  setTheme(false);
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
addEventListener("afterprint", () => { root.dataset.theme = onScreen; });
