// Draws messages as arrows between lanes.

const kArrowHeadsMax = 500;

class MessagePainter extends LockPainter {
  paintArrows() {
    const {view, filter, arrows, colours} = this.page;
    const context = this.context;
    this.page.choice = arrows.choose(view, filter);
    this.lines = this.page.choice.drawn.flatMap((message) => this.linesOf(message));
    context.save();
    context.beginPath();
    context.rect(kGutter, 0, view.width - kGutter, this.page.layout.height);
    context.clip();
    context.globalAlpha = this.lines.length > kArrowHeadsMax ? 0.35 : 0.8;
    for (const family of ["membership", "consensus", "callers", "noise"]) {
      this.strokeLines(this.lines.filter(
          (line) => line.message.family === family && !line.isLost), colours[family], 1);
    }
    this.strokeLines(this.lines.filter((line) => line.isLost), colours.alarm, 1);
    context.restore();
  }

  // One arrow for each arrival; a short one with a cross if it never arrived.
  linesOf(message) {
    const {run, view, layout} = this.page;
    const from = layout.laneOf.get(message.from);
    const to = layout.laneOf.get(message.to);
    if (from === undefined || to === undefined || from === to) return [];
    const side = Math.sign(to.middle - from.middle) * kStripHeight / 2;
    const line = {message, x0: view.x(run.at[message.sent]), y0: from.middle + side};
    if (message.taken.length === 0) {
      return [{...line, isLost: true, x1: line.x0 + 7, y1: line.y0 + side * 2.4}];
    }
    return message.taken.map((step) => (
        {...line, isLost: false, x1: view.x(run.at[step]), y1: to.middle - side}));
  }

  strokeLines(lines, colour, width) {
    const context = this.context;
    const hasHeads = this.lines.length <= kArrowHeadsMax;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const {x0, y0, x1, y1, isLost} of lines) {
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      if (isLost && hasHeads) {
        context.moveTo(x1 - 3, y1 - 3);
        context.lineTo(x1 + 3, y1 + 3);
        context.moveTo(x1 - 3, y1 + 3);
        context.lineTo(x1 + 3, y1 - 3);
      }
    }
    context.stroke();
    if (!hasHeads) return;
    context.beginPath();
    for (const {x0, y0, x1, y1, isLost} of lines) {
      if (isLost) continue;
      const angle = Math.atan2(y1 - y0, x1 - x0);
      for (const turn of [0, 2.7, -2.7]) {
        const reach = turn === 0 ? 0 : 7;
        context[turn === 0 ? "moveTo" : "lineTo"](
            x1 + reach * Math.cos(angle + turn), y1 + reach * Math.sin(angle + turn));
      }
    }
    context.fill();
  }
}
