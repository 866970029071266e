// Draws bars as SVG: a chart of bars needs none of the megabytes that a general charting library brings.
const SVG = "http://www.w3.org/2000/svg";
const TICK = 11, TITLE = 12; // font sizes
const GAP = 6;
const SHORTEST_DRAG = 4; // pixels

function shape(parent, tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function short(value) {
  const size = Math.abs(value);
  const [unit, letter] = size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  return `${Number((value / unit).toPrecision(6)).toLocaleString("en-US")}${letter}`;
}

// Round numbers from low to high, about as many as asked for.
function roundNumbers(low, high, wanted) {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let multiple = Math.ceil(low / step - 1e-9); multiple * step <= high + step * 1e-9; multiple += 1) ticks.push(multiple * step);
  return ticks.map((value) => [value, short(value)]);
}

function widest(svg, labels) {
  const probe = shape(svg, "text", { "font-size": TICK, visibility: "hidden" });
  const width = Math.max(0, ...labels.map((label) => { probe.textContent = label; return probe.getComputedTextLength(); }));
  probe.remove();
  return width;
}

function axisOf(axis, pixels) {
  return axis.ticks ?? roundNumbers(axis.low, axis.high, axis.wanted ?? Math.max(2, Math.round(pixels / 55)));
}

function draw(holder, data, brushed) {
  const width = holder.clientWidth;
  if (!width) return;
  const { across, up, height } = data;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", data.title);
  holder.replaceChildren(svg);
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`,
    fill: "currentColor", "font-family": getComputedStyle(holder).fontFamily })) svg.setAttribute(name, value);
  const bottom = (across.title ? TITLE + GAP : 0) + TICK + 2 * GAP;
  const upTicks = axisOf(up, (height - bottom) * 1.6);
  const left = Math.min(widest(svg, upTicks.map(([, label]) => label)), width * 0.4) + GAP + (up.title ? TITLE + GAP : 0);
  const area = { left, right: width - 8, top: 5, bottom: height - bottom };
  const x = (value) => area.left + (value - across.low) / (across.high - across.low) * (area.right - area.left);
  const y = (value) => area.bottom - (value - up.low) / (up.high - up.low) * (area.bottom - area.top);

  let free = -Infinity; // labels that would touch the one before are left out
  for (const [value, label] of axisOf(across, area.right - area.left)) {
    if (!data.horizontal && across.ticks) { /* names and limits stand below their bars, without lines */ }
    else shape(svg, "line", { x1: x(value), x2: x(value), y1: area.top, y2: area.bottom, stroke: "currentColor", "stroke-opacity": 0.12 });
    const half = label.length * TICK * 0.29;
    if (x(value) - half < free) continue;
    const at = Math.min(x(value), width - half);
    free = at + half + 4;
    shape(svg, "text", { x: at, y: area.bottom + TICK + GAP / 2, "font-size": TICK, "text-anchor": "middle", "fill-opacity": 0.8 }, label);
  }
  for (const [value, label, whole] of upTicks) {
    if (!data.horizontal) shape(svg, "line", { x1: area.left, x2: area.right, y1: y(value), y2: y(value), stroke: "currentColor", "stroke-opacity": 0.12 });
    const text = shape(svg, "text", { x: area.left - GAP, y: y(value) + TICK * 0.35, "font-size": TICK, "text-anchor": "end", "fill-opacity": 0.8 }, label);
    for (let shown = label; text.getComputedTextLength() > area.left - GAP && shown.length > 1;) {
      shown = shown.slice(0, -1);
      text.textContent = `${shown}…`;
    }
    if (whole) shape(text, "title", {}, whole);
  }
  if (across.title) {
    const title = shape(svg, "text", { x: (area.left + area.right) / 2, y: height - GAP / 2, "font-size": TITLE, "text-anchor": "middle" }, across.title);
    if (title.getComputedTextLength() > area.right - area.left) {
      title.setAttribute("x", width - 2);
      title.setAttribute("text-anchor", "end");
    }
  }
  if (up.title) {
    const middle = (area.top + area.bottom) / 2;
    shape(svg, "text", { x: TITLE - 2, y: middle, "font-size": TITLE, "text-anchor": "middle", transform: `rotate(-90 ${TITLE - 2} ${middle})` }, up.title);
  }
  const bars = shape(svg, "g", { class: "bars" });
  for (const [x0, x1, y0, y1, colour, opacity, words] of data.bars) {
    const bar = shape(bars, "rect", { x: x(x0), y: y(y1), width: Math.max(x(x1) - x(x0), 0), height: Math.max(y(y0) - y(y1), 0),
      fill: colour, "fill-opacity": opacity, stroke: "#8a8f98", "stroke-width": 0.5 });
    bar.dataset.words = words;
  }
  const plot = shape(svg, "rect", { class: "plot", x: area.left, y: area.top, width: area.right - area.left,
    height: area.bottom - area.top, fill: "transparent" });
  hover(holder, svg, bars, plot, data.horizontal);
  if (data.brush) brush(svg, plot, area, (pixel) => across.low + (pixel - area.left) / (area.right - area.left) * (across.high - across.low), brushed);
}

function hover(holder, svg, bars, plot, horizontal) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  holder.append(tip);
  plot.addEventListener("pointerleave", () => { tip.hidden = true; });
  plot.addEventListener("pointermove", (event) => {
    const from = svg.getBoundingClientRect();
    const [atX, atY] = [event.clientX - from.left, event.clientY - from.top];
    const within = (bar, start, size, at) => at >= Number(bar.getAttribute(start)) && at < Number(bar.getAttribute(start)) + Number(bar.getAttribute(size));
    const pointed = [...bars.children].find((bar) => (horizontal
      ? within(bar, "y", "height", atY) && within(bar, "x", "width", atX) : within(bar, "x", "width", atX)));
    tip.hidden = !pointed;
    if (!pointed) return;
    tip.textContent = pointed.dataset.words;
    tip.style.left = `${Math.min(Math.max(atX - tip.offsetWidth / 2, 0), from.width - tip.offsetWidth)}px`;
    tip.style.top = `${Math.max(atY - tip.offsetHeight - 10, -tip.offsetHeight)}px`;
  });
}

function brush(svg, plot, area, valueAt, brushed) {
  plot.style.cursor = "crosshair";
  let start = null;
  let band = null;
  const pixel = (event) => Math.min(Math.max(event.clientX - svg.getBoundingClientRect().left, area.left), area.right);
  plot.addEventListener("pointerdown", (event) => {
    start = pixel(event);
    plot.setPointerCapture(event.pointerId);
    band = shape(svg, "rect", { class: "band", y: area.top, height: area.bottom - area.top, x: start, width: 0,
      "fill-opacity": 0.15, stroke: "currentColor", "stroke-dasharray": "3 2", "pointer-events": "none" });
  });
  plot.addEventListener("pointermove", (event) => {
    if (!band) return;
    band.setAttribute("x", Math.min(start, pixel(event)));
    band.setAttribute("width", Math.abs(pixel(event) - start));
  });
  const end = (event) => {
    if (!band) return;
    const [low, high] = [start, pixel(event)].sort((one, other) => one - other);
    if (event.type === "pointercancel" || high - low < SHORTEST_DRAG) band.remove();
    else brushed([valueAt(low), valueAt(high)]);
    band = null;
  };
  plot.addEventListener("pointerup", end);
  plot.addEventListener("pointercancel", end);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const holder = parentElement.querySelector(".de-bars");
  holder.style.height = `${data.height}px`;
  const again = () => draw(holder, data, (range) => setTriggerValue("range", range));
  again();
  let width = holder.clientWidth;
  const observer = new ResizeObserver(() => {
    if (holder.clientWidth === width) return;
    width = holder.clientWidth;
    again();
  });
  observer.observe(holder);
  return () => observer.disconnect();
}
