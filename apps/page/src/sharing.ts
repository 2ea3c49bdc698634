// SPDX-License-Identifier: Apache-2.0
// What leaves the page is what its reader takes along: files, and a question as command, as Python, as JSON.
import type { FigureData } from "./figure_data";
import type { Json, Question } from "./asking";

export function download(name: string, content: string | Blob, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(typeof content === "string" ? new Blob([content], { type }) : content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The picture with its title and the colours it has on the page, on its own.
export function svg_of(svg: SVGElement, figure: FigureData): string {
  const style = getComputedStyle(svg);
  const head = 44,
    width = svg.clientWidth || Number(svg.getAttribute("width")),
    height = Number(svg.getAttribute("height"));
  const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const inside = new XMLSerializer()
    .serializeToString(svg)
    .replace(/^<svg[^>]*>/, "")
    .replace(/<\/svg>$/, "");
  const text =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + head}" viewBox="0 0 ${width} ${height + head}" ` +
    `font-family="system-ui, sans-serif">` +
    `<title>${escape(figure.title)}</title><desc>${escape(figure.description)}</desc>` +
    `<rect width="100%" height="100%" fill="var(--board)"/>` +
    `<text x="8" y="20" font-size="15" font-weight="600" fill="var(--ink)">${escape(figure.title)}</text>` +
    `<text x="8" y="37" font-size="12" fill="var(--soft)">${escape(figure.subtitle ?? "")}</text>` +
    `<g transform="translate(0 ${head})">${inside}</g></svg>`;
  return text.replace(/var\((--[a-z0-9-]+)\)/g, (_, name: string) => style.getPropertyValue(name).trim() || "#888");
}

export async function png_of(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width * 2;
  canvas.height = image.height * 2;
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob!), "image/png"));
}

const word = (value: Json) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w./:,=+%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
};

// What a question is on the command line. A model given as a configuration is a file there.
export function as_command({ question, inputs }: Question): string {
  const { vary, of, inputs: swept, kind, name, ...rest } = inputs as Record<string, Json>;
  const words = ["fareline", question];
  if (question === "sweep" && typeof of === "string") words.push(of);
  const named: Record<string, Json> = question === "sweep" ? { ...(swept as object), ...rest } : inputs;
  for (const [key, value] of Object.entries(named)) {
    words.push(`--${key}`);
    words.push(key === "model" && typeof value === "object" ? "config.json" : word(value));
  }
  if (question === "sweep" && vary !== undefined) words.push("--vary", word(vary));
  return words.join(" ");
}

const python_value = (value: Json): string => {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python_value).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([k, v]) => `${JSON.stringify(k)}: ${python_value(v)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
};

export function as_python({ question, inputs }: Question): string {
  const named = Object.entries(inputs).map(([key, value]) => `${key}=${python_value(value)}`);
  return `import fareline\n\nfareline.${question}(${named.join(", ")})`;
}

export const as_json = (question: Question) => JSON.stringify(question);
