// The tools of a map, and what a drag, a click or a zoom on it says to the page.
const TOOLS = [
  ["lasso", "Lasso", "Draw around examples"], ["select", "Box", "Drag a box over examples"],
  ["zoom", "Zoom", "Drag over what you want to see closer"], ["pan", "Move", "Drag the map"],
];
const SETTLE_MS = 250;

function press(plot, query) {
  plot.querySelector(`.modebar-btn${query}`)?.click();
}

function polygon(event) {
  if (event?.lassoPoints) return event.lassoPoints.x.map((x, corner) => [x, event.lassoPoints.y[corner]]);
  if (event?.range) {
    const [[left, right], [bottom, top]] = [event.range.x, event.range.y];
    return [[left, bottom], [right, bottom], [right, top], [left, top]];
  }
  return null;
}

function put(mark, plot, at) {
  const { xaxis, yaxis } = plot._fullLayout;
  const [x, y] = at ? [xaxis.l2p(at[0]), yaxis.l2p(at[1])] : [-1, -1];
  const inside = x >= 0 && y >= 0 && x <= xaxis._length && y <= yaxis._length;
  mark.style.display = inside ? "block" : "none";
  mark.style.transform = `translate(${xaxis._offset + x - 9}px, ${yaxis._offset + y - 9}px)`;
  if (mark.parentElement !== plot) plot.append(mark);
}

function attach(plot, state, setTriggerValue) {
  let dragged = false;
  let timer;
  plot.style.position = "relative";
  plot.addEventListener("pointerdown", () => { dragged = true; }, true);
  plot.on("plotly_selected", (event) => {
    const points = polygon(event);
    if (dragged && points?.length > 2) setTriggerValue("region", points);
  });
  plot.on("plotly_deselect", () => { if (dragged) setTriggerValue("region", []); });
  plot.on("plotly_click", (event) => {
    const row = event.points?.[0]?.customdata;
    if (row !== undefined && row !== null) setTriggerValue("open", Number(row));
  });
  plot.on("plotly_afterplot", () => put(state.mark, plot, state.at));
  plot.on("plotly_relayout", (change) => {
    put(state.mark, plot, state.at);
    const moved = Object.keys(change).some((name) => /^[xy]axis\.(range|autorange)/.test(name));
    if (!dragged || !moved) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { xaxis, yaxis } = plot._fullLayout;
      const whole = change["xaxis.autorange"] || state.resetting;
      state.resetting = false;
      setTriggerValue("zoom", whole ? [] : [...xaxis.range, ...yaxis.range]);
    }, SETTLE_MS);
  });
  put(state.mark, plot, state.at);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const group = parentElement.querySelector(".tools");
  group.state ??= { tool: "lasso", mark: document.createElement("div") };
  const state = group.state;
  state.mark.className = "de-map-mark";
  state.at = data.mark;
  const find = () => document.querySelector(`.st-key-${CSS.escape(data.chart)} .js-plotly-plot`);
  const choose = (tool) => {
    state.tool = tool;
    const plot = find();
    if (plot) press(plot, `[data-attr="dragmode"][data-val="${tool}"]`);
    [...group.children].forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.tool === tool)));
  };
  if (!group.children.length) {
    group.append(...TOOLS.map(([tool, words, help]) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: words, title: help });
      button.dataset.tool = tool;
      button.onclick = () => choose(tool);
      return button;
    }));
    const reset = document.createElement("button");
    Object.assign(reset, { type: "button", textContent: "Show all", title: "Undo zoom and move" });
    reset.onclick = () => setTriggerValue("zoom", []);
    group.append(reset);
  }
  // The plot appears after this toolbar, and again whenever its data change.
  const look = () => {
    const plot = find();
    if (!plot?.on || !plot._fullLayout?.xaxis?._length) return;
    if (plot !== state.plot) {
      state.plot = plot;
      attach(plot, state, setTriggerValue);
      choose(state.tool);
    }
  };
  clearInterval(state.watch);
  state.watch = setInterval(look, 200);
  look();
  if (state.plot?.isConnected) put(state.mark, state.plot, state.at);
  return () => clearInterval(state.watch);
}
