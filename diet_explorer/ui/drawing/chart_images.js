// Downloads a chart of this page as PNG or SVG, with its title: bars as they are, others through plotly's own camera.
const FORMATS = [["Image (PNG)", "png"], ["Drawing (SVG)", "svg"]];
const TITLE_LINE = 22; // pixels

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function drawing(svg, data) {
  const copy = svg.cloneNode(true);
  const [width, height] = [svg.clientWidth, svg.clientHeight + TITLE_LINE * data.lines + 14];
  const style = getComputedStyle(svg);
  const page = getComputedStyle(document.querySelector("[data-testid=stApp]"));
  for (const [name, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height, color: style.color,
    viewBox: `0 ${svg.clientHeight - height} ${width} ${height}` })) copy.setAttribute(name, value);
  const parts = new DOMParser().parseFromString(data.title.replaceAll("<br>", "\n"), "text/html").body.textContent.split("\n");
  const made = (tag, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };
  copy.prepend(made("rect", { x: 0, y: svg.clientHeight - height, width, height, fill: page.backgroundColor }));
  parts.forEach((part, line) => copy.append(
    made("text", { x: 8, y: svg.clientHeight - height + 24 + line * TITLE_LINE, "font-size": 15 }, part)));
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

async function saveBars(svg, data, format) {
  const { text, width, height } = drawing(svg, data);
  const blob = new Blob([text], { type: "image/svg+xml" });
  if (format === "svg") return save(blob, `${data.chart}.svg`);
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((made) => save(made, `${data.chart}.png`));
}

function download(data, format) {
  const bars = document.querySelector(`.st-key-${CSS.escape(data.chart)} .de-bars svg`);
  if (bars) return saveBars(bars, data, format);
  const plot = document.querySelector(`.st-key-${CSS.escape(data.chart)} .js-plotly-plot`);
  const camera = plot?._fullLayout?._modeBar?.buttons.flat().find((button) => button.name === "toImage");
  if (!camera) return;
  const { layout, _fullLayout: full } = plot;
  const before = { title: layout.title, margin: layout.margin };
  const height = TITLE_LINE * data.lines + 14 + (full.showlegend ? TITLE_LINE : 0);
  plot._context.toImageButtonOptions = {
    format, filename: data.chart, scale: 2, width: full.width, height: full.height + height,
  };
  // The image is made from a copy that plotly takes at once, so the title never shows on the page itself.
  layout.title = { text: data.title, x: 0, xref: "container", xanchor: "left", y: 1, yref: "container", yanchor: "top",
    pad: { t: 10, l: 8 }, font: { size: 15 } };
  layout.margin = { ...before.margin, t: (before.margin?.t ?? 0) + height, r: (before.margin?.r ?? 0) + 8, l: 8, b: 8 };
  try {
    camera.click(plot);
  } finally {
    Object.assign(layout, before);
  }
}

export default function ({ data, parentElement }) {
  const group = parentElement.querySelector(".images");
  group.replaceChildren(...FORMATS.map(([words, format]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.dataset.format = format;
    button.onclick = () => download(data, format);
    return button;
  }));
}
