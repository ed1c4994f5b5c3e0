// Draws an overview of the whole run, and marks the visible part.

const kOverviewHeight = 46;

class OverviewPainter extends Painter {
  paint() {
    const {run, view, colours} = this.page;
    const height = kOverviewHeight;
    const context = this.context;
    this.begin(view.width, height);
    const x = (time) => kGutter + time / view.all * view.plotWidth;
    context.fillStyle = colours.muted;
    context.fillText("Whole run", 16, height / 2);
    const bars = (spans, fill, top, tall) => {
      context.fillStyle = fill;
      for (const span of spans) {
        context.fillRect(x(span.begin), top, Math.max(x(span.end) - x(span.begin), 1), tall);
      }
    };
    bars(run.cuts, colours.cut, 3, 4);
    bars(run.pauses, colours.paused, 8, 4);
    bars(run.downs, colours.down, 13, 4);
    this.paintDensity(x);
    for (const role of run.roles) {
      if (role.role !== "leader") continue;
      context.fillStyle = colours.leader;
      context.fillRect(x(role.begin), height - 5, Math.max(x(role.end) - x(role.begin), 1), 3);
    }
    const failed = run.heading.failedStep;
    if (failed !== undefined) {
      this.line(x(run.at[failed]), 0, x(run.at[failed]), height, colours.alarm, 2);
    }
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.13;
    context.fillRect(x(view.from), 0, Math.max(x(view.to) - x(view.from), 2), height);
    context.globalAlpha = 1;
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.strokeRect(x(view.from) + 0.5, 0.5, Math.max(x(view.to) - x(view.from) - 1, 2), height - 1);
  }

  paintDensity(x) {
    const {run, view, colours} = this.page;
    const context = this.context;
    context.fillStyle = colours.muted;
    let from = 0;
    for (let left = kGutter; left < view.width; left += 2) {
      const to = lowerBound(run.at, (left + 2 - kGutter) / view.plotWidth * view.all);
      if (to > from) {
        const height = Math.min(2 * Math.log2(to - from + 1), 22);
        context.fillRect(left, 40 - height, 1.5, height);
      }
      from = to;
    }
  }
}
