// Draws a lock's row: its agreed holder, its believing holders, and its waiters.

class LockPainter extends Painter {
  paintLock(row) {
    const {view, colours} = this.page;
    const context = this.context;
    this.line(0, row.y + 0.5, view.width, row.y + 0.5, colours.line);
    context.font = kSmallFont;
    const bar = (span, x, width, top, text) => {
      const y = row.y + top + span.level * (kBarHeight + 1);
      context.fillStyle = colours[nodeColour(span.host)];
      context.fillRect(x, y, width, kBarHeight);
      this.label(text, x, y + kBarHeight / 2, width, colours.ground);
    };
    this.eachSpan(row.holds, view, (x, width, hold) => {
      bar(hold, x, width, 4, `n${hold.host} holds, token ${hold.token}`);
    });
    this.eachSpan(row.beliefs, view, (x, width, belief) => {
      if (belief.end <= belief.begin) return;
      context.globalAlpha = belief.isSuspect ? 0.3 : 0.62;
      bar(belief, x, width, row.beliefTop, "");
      context.globalAlpha = 1;
      this.label(belief.isSuspect ? "suspects" : `n${belief.host} believes`, x,
                 row.y + row.beliefTop + belief.level * (kBarHeight + 1) + kBarHeight / 2,
                 width, colours.text);
    });
    this.eachSpan(row.waits, view, (x, width, wait) => {
      context.fillStyle = colours[nodeColour(wait.host)];
      context.fillRect(x, row.y + row.waitTop + wait.level * (kWaitHeight + 1), width,
                       kWaitHeight - 1);
    });
    for (const span of row.contested) {
      if (span.begin > view.to || span.end < view.from) continue;
      const left = Math.max(view.x(span.begin), kGutter);
      const width = Math.max(Math.min(view.x(span.end), view.width) - left, 3);
      context.strokeStyle = colours.alarm;
      context.lineWidth = 2;
      context.strokeRect(left, row.y + row.beliefTop - 1, width,
                         row.waitTop - row.beliefTop + 1);
    }
    context.font = kFont;
  }
}
