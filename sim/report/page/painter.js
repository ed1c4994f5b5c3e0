// Common drawing functions: the canvas, colours, spans of time, labels.

const kLeaderInk = "#1c2330";   // its strip is bright in both themes
const kFont = '12px system-ui, "Segoe UI", Roboto, sans-serif';
const kSmallFont = '11px system-ui, "Segoe UI", Roboto, sans-serif';

// Colours come from the style sheet, so that they follow its themes.
function readColours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy(new Map(), {
    get(known, name) {
      if (!known.has(name)) known.set(name, style.getPropertyValue(`--${name}`).trim());
      return known.get(name);
    },
  });
}

function nodeColour(host) { return `node-${(host - 1) % 9 + 1}`; }

class Painter {
  constructor(canvas, page) {
    this.canvas = canvas;
    this.page = page;
    this.context = canvas.getContext("2d");
    this.hatches = new Map();
  }

  // Sets the size to `height` CSS pixels, with the resolution of the screen.
  begin(width, height) {
    const scale = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.height = `${height}px`;
      this.hatches.clear();
    }
    const context = this.context;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = kFont;
    context.textBaseline = "middle";
  }

  hatch(colour) {
    if (!this.hatches.has(colour)) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const context = tile.getContext("2d");
      context.strokeStyle = colour;
      context.lineWidth = 2;
      for (const shift of [-8, 0, 8]) {
        context.moveTo(shift, 8);
        context.lineTo(shift + 8, 0);
      }
      context.stroke();
      this.hatches.set(colour, this.context.createPattern(tile, "repeat"));
    }
    return this.hatches.get(colour);
  }

  // Calls `paint(x, width, span)` for the visible spans; of spans below one pixel
  // only for one per pixel.
  eachSpan(spans, view, paint) {
    let lastPixel = -1;
    for (const span of spans) {
      if (span.begin > view.to) break;
      if (span.end < view.from) continue;
      const left = Math.max(view.x(span.begin), kGutter);
      const right = Math.min(view.x(span.end), view.width);
      if (right - left < 1) {
        if (Math.floor(left) === lastPixel) continue;
        lastPixel = Math.floor(left);
      }
      paint(left, Math.max(right - left, 1), span);
    }
  }

  // Draws nothing if there is no room for a part of it.
  label(text, x, y, width, colour) {
    if (width < 30) return;
    const context = this.context;
    context.save();
    context.beginPath();
    context.rect(x, y - 10, width - 3, 20);
    context.clip();
    context.fillStyle = colour;
    context.fillText(text, x + 4, y + 0.5);
    context.restore();
  }

  line(x0, y0, x1, y1, colour, width = 1) {
    const context = this.context;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }
}
