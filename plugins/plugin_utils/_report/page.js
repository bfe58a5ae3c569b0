// SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
// SPDX-License-Identifier: GPL-3.0-or-later
// Makes the report's table sortable, adds the filters, and shows the details of a host. Text is only ever a text node.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const table = byId("hosts");
  const body = table.tBodies[0];
  const status = byId("shown");

  const make = (tag, text, attributes) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    return element;
  };

  // One for each host, in the order of the report: its row, its open details, and the text that is searched.
  const hosts = Array.from(body.rows, (row, place) => ({ row, place, details: null, text: null }));

  // Details

  const detailTable = ([kind, rows]) => {
    const [title, names] = data.tables[kind];
    const used = names.map((_name, column) => rows.some((cells) => cells[column] !== ""));
    const kept = (cells) => cells.filter((_cell, column) => used[column]);
    const section = make("section");
    section.append(make("h2", title));
    const made = section.appendChild(make("table"));
    if (names.some((name) => name !== "")) {
      const head = made.createTHead().insertRow();
      for (const name of kept(names)) head.append(make("th", name, { scope: "col" }));
    }
    const tbody = made.createTBody();
    for (const cells of rows) {
      const row = tbody.insertRow();
      for (const cell of kept(cells)) row.append(make("td", cell));
    }
    return section;
  };

  const toggle = (host, button) => {
    const open = host.details === null;
    button.setAttribute("aria-expanded", String(open));
    if (!open) {
      host.details.remove();
      host.details = null;
      return;
    }
    host.details = make("tr", undefined, { class: "detail", id: `host${host.place}` });
    const cell = make("td", undefined, { colspan: String(host.row.cells.length) });
    const tables = cell.appendChild(make("div"));
    tables.append(...data.hosts[host.place].map(detailTable));
    host.details.append(cell);
    host.row.after(host.details);
  };

  for (const host of hosts) {
    const cell = host.row.cells[0];
    const button = make("button", cell.textContent, {
      type: "button",
      "aria-expanded": "false",
      "aria-controls": `host${host.place}`,
    });
    button.addEventListener("click", () => toggle(host, button));
    cell.replaceChildren(button);
  }

  // Filters

  const chosen = { text: "", outcomes: new Set(), group: null };

  const searched = (host) => {
    if (host.text === null) {
      const cells = data.hosts[host.place].flatMap(([_kind, rows]) => rows.flat());
      host.text = [...Array.from(host.row.cells, (cell) => cell.textContent), ...cells].join("\n").toLowerCase();
    }
    return host.text;
  };

  const filter = () => {
    const words = chosen.text.toLowerCase().split(/\s+/).filter((word) => word !== "");
    const places = new Set([...chosen.outcomes].flatMap((outcome) => data.outcomes[outcome]));
    const group = chosen.group === null ? null : new Set(data.groups[chosen.group]);
    let count = 0;
    for (const host of hosts) {
      const shown =
        (chosen.outcomes.size === 0 || places.has(host.place)) &&
        (group === null || group.has(host.place)) &&
        words.every((word) => searched(host).includes(word));
      host.row.hidden = !shown;
      if (host.details !== null) host.details.hidden = !shown;
      count += shown ? 1 : 0;
    }
    status.textContent = count === hosts.length ? "" : `${count} of ${hosts.length} hosts`;
    clear.disabled = count === hosts.length;
  };

  const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));

  const outcomeButtons = Array.from(byId("outcomes").children, (item, outcome) => {
    const button = make("button", undefined, { type: "button", "aria-pressed": "false" });
    button.append(...item.firstElementChild.childNodes);
    button.addEventListener("click", () => {
      if (!chosen.outcomes.delete(outcome)) chosen.outcomes.add(outcome);
      press(button, chosen.outcomes.has(outcome));
      filter();
    });
    item.replaceChildren(button);
    return button;
  });

  const groupButtons = Array.from(document.querySelectorAll(".reasons tbody tr"), (row, group) => {
    const label = `Show only the ${row.cells[0].textContent} hosts with: ${row.cells[1].textContent}`;
    const button = make("button", row.cells[0].textContent, { type: "button", "aria-pressed": "false", "aria-label": label });
    button.addEventListener("click", () => {
      chosen.group = chosen.group === group ? null : group;
      groupButtons.forEach((one, index) => press(one, chosen.group === index));
      filter();
    });
    row.cells[0].replaceChildren(button);
    return button;
  });

  const input = make("input", undefined, { type: "search", id: "filter", autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", () => {
    chosen.text = input.value;
    filter();
  });
  const clear = make("button", "Show all", { type: "button", id: "clear", disabled: "" });
  clear.addEventListener("click", () => {
    Object.assign(chosen, { text: "", outcomes: new Set(), group: null });
    input.value = "";
    [...outcomeButtons, ...groupButtons].forEach((button) => press(button, false));
    filter();
    input.focus();
  });
  const label = make("label", "Filter");
  label.append(input);
  const controls = byId("controls");
  controls.append(label, clear);
  controls.hidden = false;

  // Sorting

  const collator = new Intl.Collator("en", { numeric: true });
  const OUTCOME = 1;

  const value = (host, column) => {
    const cell = host.row.cells[column];
    return cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n);
  };

  // Empty cells are last in both directions.
  const compare = (column, sign) => (left, right) => {
    if (column === OUTCOME) return sign * (left.place - right.place);
    const [a, b] = [value(left, column), value(right, column)];
    if (a === b) return left.place - right.place;
    if (a === "" || b === "") return a === "" ? 1 : -1;
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b)));
  };

  const headers = Array.from(table.tHead.rows[0].cells);
  const sort = (column, sign) => {
    const sorted = [...hosts].sort(compare(column, sign));
    body.append(...sorted.flatMap((host) => (host.details === null ? [host.row] : [host.row, host.details])));
    for (const header of headers) header.removeAttribute("aria-sort");
    headers[column].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  };

  headers.forEach((header, column) => {
    const button = make("button", header.textContent, { type: "button" });
    button.addEventListener("click", () => sort(column, header.getAttribute("aria-sort") === "ascending" ? -1 : 1));
    header.replaceChildren(button);
  });
  headers[OUTCOME].setAttribute("aria-sort", "ascending");
})();
