// Draws the ranked table. Texts reach the page only through textContent, so they are never read as markup.
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function marked(target, text, query) {
  const wanted = query.toLowerCase();
  const low = text.toLowerCase();
  // Some letters change length in lower case; highlighting by position would then mark the wrong ones.
  if (!wanted || low.length !== text.length) { target.textContent = text; return; }
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    target.append(text.slice(from, at));
    target.append(element("mark", "", text.slice(at, at + wanted.length)));
    from = at + wanted.length;
  }
  target.append(text.slice(from));
}

function chip(name, colour, differs) {
  const made = element("span", differs ? "chip differs" : "chip");
  made.style.setProperty("--colour", colour);
  made.title = differs ? `${name} (differs from the given label)` : name;
  made.append(element("i"), element("span", "", name));
  return made;
}

function cell(row, className, ...content) {
  const made = element("td", className);
  made.append(...content);
  row.append(made);
  return made;
}

function line(example, data) {
  const row = element("tr");
  row.dataset.row = example.row;
  row.tabIndex = -1;
  cell(row, "rank", example.rank);
  const score = cell(row, "score", example.score);
  if (example.spread) score.append(element("small", "", `± ${example.spread}`));
  const text = cell(row, "text");
  for (const part of example.texts) {
    const block = element("div", example.texts.length > 1 ? "clamp pair" : "clamp");
    marked(block, part, data.query);
    text.append(block);
  }
  const labels = cell(row, "labels", chip(example.label, example.label_colour, false));
  labels.append(chip(example.predicted, example.predicted_colour, example.differs));
  const bar = element("div", "bar");
  const track = element("b");
  const fill = element("i");
  fill.style.width = `${100 * example.share}%`;
  track.append(fill);
  bar.append(track, `${(100 * example.share).toFixed(1)} %`);
  cell(row, "share", bar);
  return row;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame");
  const head = frame.querySelector("thead tr");
  const body = frame.querySelector("tbody");
  if (frame.dataset.stamp !== data.stamp) {
    const samePage = frame.dataset.place === data.place;
    frame.dataset.stamp = data.stamp;
    frame.dataset.place = data.place;
    head.replaceChildren(...data.head.map(([className, title, help]) => {
      const made = element("th", className, title);
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
