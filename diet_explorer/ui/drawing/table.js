// Draws a table of examples. Texts reach the page only through textContent, so they are never read as markup.
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

// Pieces of a text: plain ones and hits of the search in turn.
function marked(target, pieces) {
  target.append(...pieces.map((piece, number) => (number % 2 ? element("mark", "", piece) : piece)));
}

function chip(name, title, colour, differs) {
  const made = element("span", differs ? "chip differs" : "chip");
  made.style.setProperty("--colour", colour);
  made.title = differs ? `${name} (differs from the given label)` : name;
  made.append(element("i"), element("span", "", title));
  return made;
}

function cell(row, className, ...content) {
  const made = element("td", className);
  made.append(...content);
  row.append(made);
  return made;
}

// One function per kind of column; any other column is a figure, taken as it is.
const CELLS = {
  score(row, example) {
    const score = cell(row, "score", example.score);
    if (example.spread) score.append(element("small", "", `± ${example.spread}`));
  },
  text(row, example) {
    const text = cell(row, "text");
    for (const part of example.texts) {
      const block = element("div", example.texts.length > 1 ? "clamp pair" : "clamp");
      marked(block, part);
      text.append(block);
    }
  },
  labels(row, example) {
    const labels = cell(row, "labels", chip(example.label, example.label_title ?? example.label, example.label_colour, false));
    if (example.predicted !== undefined) {
      labels.append(chip(example.predicted, example.predicted_title ?? example.predicted, example.predicted_colour, example.differs));
    }
  },
  share(row, example) {
    const bar = element("div", "bar");
    const track = element("b");
    const fill = element("i");
    fill.style.width = `${100 * example.share}%`;
    track.append(fill);
    bar.append(track, `${(100 * example.share).toFixed(1)} %`);
    cell(row, "share", bar);
  },
};

function line(example, data) {
  const row = element("tr");
  row.dataset.row = example.row;
  row.tabIndex = -1;
  for (const [name] of data.head) {
    if (CELLS[name]) CELLS[name](row, example);
    else cell(row, `figure ${name}`, example[name]);
  }
  return row;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame");
  frame.classList.toggle("short", data.short);
  frame.classList.toggle("dense", data.dense);
  frame.classList.toggle("long-labels", data.rows.some((row) => Math.max((row.label_title ?? "").length, (row.predicted_title ?? "").length) > 13));
  frame.style.setProperty("--above", `${data.above}px`);
  frame.querySelector("table").setAttribute("aria-label", data.title);
  const head = frame.querySelector("thead tr");
  const body = frame.querySelector("tbody");
  if (frame.dataset.stamp !== data.stamp) {
    const samePage = frame.dataset.page === data.page;
    frame.dataset.stamp = data.stamp;
    frame.dataset.page = data.page;
    head.replaceChildren(...data.head.map(([className, title, help]) => {
      const made = element("th", CELLS[className] ? className : `figure ${className}`, title);
      made.scope = "col";
      if (help) made.title = help;
      return made;
    }));
    body.replaceChildren(...data.rows.map((example) => line(example, data)));
    if (!samePage) frame.scrollTop = 0;
  }
  const rows = [...body.children];
  rows.forEach((row) => row.setAttribute("aria-selected", String(row.dataset.row === String(data.selected))));
  const current = rows.find((row) => row.dataset.row === String(data.selected));
  (current ?? rows[0])?.setAttribute("tabindex", "0");
  current?.scrollIntoView({ block: "nearest" });

  const open = (row) => row && setTriggerValue("open", Number(row.dataset.row));
  body.onclick = (event) => {
    if (!String(parentElement.getSelection?.() ?? "")) open(event.target.closest("tr"));
  };
  body.onkeydown = (event) => {
    const row = event.target.closest("tr");
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (step) {
      event.preventDefault();
      row?.[step]?.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(row);
    }
  };
}
