// Downloads a chart of this page as PNG or SVG, with its title, through plotly's own camera button.
const FORMATS = [["Image (PNG)", "png"], ["Drawing (SVG)", "svg"]];
const TITLE_LINE = 22; // pixels

function download(data, format) {
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
