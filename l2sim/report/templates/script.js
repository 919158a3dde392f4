(() => {
  "use strict";
  const number = (text) => (text === null || text === "" ? NaN : Number(text));

  // Tables: a head sorts rows by its column, the label of a row sorts columns by its values.
  const order = (entries, direction) =>
    entries
      .map((entry, place) => ({ entry, place, value: entry.value }))
      .sort((a, b) => {
        const [x, y] = [number(a.value), number(b.value)];
        if (Number.isNaN(x) && Number.isNaN(y)) return direction * String(a.value).localeCompare(String(b.value)) || a.place - b.place;
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return direction * (x - y) || a.place - b.place;
      });
  const turn = (table, head) => {
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    table.querySelectorAll("[aria-sort]").forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    return direction;
  };
  const value = (cell) => (cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim());
  document.querySelectorAll("table.sortable").forEach((table) => {
    table.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (!head || !event.target.closest("button")) return;
      const direction = turn(table, head);
      const body = table.tBodies[0];
      if (head.closest("thead")) {
        const at = head.cellIndex;
        order([...body.rows].map((row) => ({ row, value: value(row.cells[at]) })), direction).forEach(({ entry }) => body.append(entry.row));
      } else {
        const row = head.parentElement;
        const places = order([...row.cells].slice(1).map((cell) => ({ at: cell.cellIndex, value: value(cell) })), direction).map(({ entry }) => entry.at);
        [...table.rows].forEach((one) => {
          const cells = [...one.cells];
          places.forEach((at) => one.append(cells[at]));
        });
      }
    });
  });

  // Figures: values under the pointer, or under a ruler moved by the arrow keys; their data as CSV.
  const short = (x) => (x !== 0 && (Math.abs(x) >= 1e6 || Math.abs(x) < 1e-3) ? x.toExponential(3) : String(Number(x.toPrecision(4))));
  const told = (axis, x) => (axis.words ? axis.words[Math.max(0, Math.min(axis.words.length - 1, Math.round(x)))] : x);
  const share = (axis, x) => {
    const [low, high] = axis.limits;
    return axis.log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low);
  };
  const at = (axis, part) => {
    const [low, high] = axis.limits;
    return axis.log ? low * Math.pow(high / low, part) : low + part * (high - low);
  };
  const nearest = (line, x, axis) => {
    let best = -1;
    let least = Infinity;
    line.x.forEach((one, i) => {
      if (line.step === "post" && one > x) return;
      const away = Math.abs(share(axis, one) - share(axis, x));
      if (away < least) [least, best] = [away, i];
    });
    return best;
  };
  document.querySelectorAll("figure[data-traces]").forEach((figure) => {
    const data = JSON.parse(document.getElementById(figure.dataset.traces).textContent);
    const drawing = figure.querySelector("svg");
    const tip = figure.appendChild(document.createElement("div"));
    const ruler = figure.appendChild(document.createElement("div"));
    tip.className = "tip";
    tip.setAttribute("role", "status");
    ruler.className = "ruler";
    const hide = () => (tip.hidden = ruler.hidden = true);
    hide();
    const say = (rows, left, top) => {
      tip.replaceChildren(
        ...rows.map(([colour, text]) => {
          const row = document.createElement("div");
          if (colour) row.appendChild(document.createElement("i")).style.background = colour === "#000000" ? "var(--ink)" : colour;
          row.append(text);
          return row;
        })
      );
      tip.hidden = false;
      const room = figure.clientWidth - tip.offsetWidth - 4;
      tip.style.left = `${Math.max(0, Math.min(left + 14, room))}px`;
      tip.style.top = `${top + 10}px`;
    };
    const look = (x, y) => {
      const frame = drawing.getBoundingClientRect();
      const outer = figure.getBoundingClientRect();
      const scale = frame.width / data.width;
      const [offsetX, offsetY] = [frame.left - outer.left, frame.top - outer.top];
      const panel = data.panels.find(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
      if (!panel) return hide();
      const bar = panel.bars.find(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
      if (bar) {
        ruler.hidden = true;
        return say([[null, bar.of], [bar.colour, `${bar.name}: ${short(bar.value)} ${(panel.x.label.match(/\[.*\]/) || [""])[0]}`]], offsetX + x * scale, offsetY + y * scale);
      }
      if (!panel.lines.length) return hide();
      const here = at(panel.x, (x - panel.box[0]) / (panel.box[2] - panel.box[0]));
      const rows = [[null, `${panel.x.label || "x"}: ${panel.x.words ? told(panel.x, here) : short(here)}`]];
      panel.lines.forEach((line) => {
        const i = nearest(line, here, panel.x);
        if (i >= 0) rows.push([line.colour, `${line.name}: ${short(line.y[i])}`]);
      });
      Object.assign(ruler.style, { left: `${offsetX + x * scale}px`, top: `${offsetY + panel.box[1] * scale}px`, height: `${(panel.box[3] - panel.box[1]) * scale}px` });
      ruler.hidden = false;
      say(rows, offsetX + x * scale, offsetY + y * scale);
    };
    drawing.addEventListener("pointermove", (event) => {
      const frame = drawing.getBoundingClientRect();
      look(((event.clientX - frame.left) / frame.width) * data.width, ((event.clientY - frame.top) / frame.height) * data.height);
    });
    drawing.addEventListener("pointerleave", hide);
    figure.addEventListener("blur", hide);
    let part = 0.5;
    let which = 0;
    figure.addEventListener("keydown", (event) => {
      if (event.target !== figure) return;
      if (event.key === "Escape") return hide();
      const moved = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      const turned = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (moved === undefined && turned === undefined) return;
      event.preventDefault();
      part = Math.max(0, Math.min(1, part + (moved || 0)));
      which = (which + (turned || 0) + data.panels.length) % data.panels.length;
      const { box } = data.panels[which];
      look(box[0] + part * (box[2] - box[0]), (box[1] + box[3]) / 2);
    });
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const csv = figure.querySelector("button.csv");
    csv.hidden = !data.panels.some((panel) => panel.lines.length + panel.bars.length); // a map says all it knows
    csv.addEventListener("click", () => {
      const rows = ["panel,series,x,y"];
      data.panels.forEach((panel, i) => {
        const name = quoted(panel.title || panel.y.label || String(i + 1));
        panel.lines.forEach((line) => line.x.forEach((x, j) => rows.push(`${name},${quoted(line.name)},${quoted(String(told(panel.x, x)))},${line.y[j]}`)));
        panel.bars.forEach((bar) => rows.push(`${name},${quoted(bar.name)},${quoted(bar.of)},${bar.value}`));
      });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
      link.download = `${figure.dataset.traces.replace(/^data-/, "")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });

  // Networks: channels drawn as the money in them was at the time that the slider says.
  document.querySelectorAll("figure[data-network]").forEach((figure) => {
    const data = JSON.parse(document.getElementById(figure.dataset.network).textContent);
    const slider = figure.querySelector("input");
    const output = figure.querySelector("output");
    const halves = [...figure.querySelectorAll("line[data-channel]")];
    const show = () => {
      const now = Number(slider.value);
      output.textContent = data.words[now];
      halves.forEach((half) => {
        const [x1, y1, x2, y2] = half.dataset.ends.split(" ").map(Number);
        const part = data.shares[now][Number(half.dataset.channel)];
        half.toggleAttribute("hidden", part === null);
        half.style.display = part === null ? "none" : "";
        if (part === null) return;
        half.setAttribute("x2", x1 + part * (x2 - x1));
        half.setAttribute("y2", y1 + part * (y2 - y1));
      });
    };
    slider.addEventListener("input", show);
    show();
  });
})();
