// The report as text.
const euros = (cents) => `${(cents / 100).toFixed(2).padStart(9)} EUR`;

function sumBy(orders, key) {
  const sums = new Map();
  for (const order of orders) sums.set(order[key], (sums.get(order[key]) ?? 0) + order.pieces * order.cents);
  return [...sums].sort(([, a], [, b]) => b - a);
}

const table = (sums) => sums.map(([name, cents]) => `  ${name.padEnd(20)}${euros(cents)}`);

export function render({ source, day, orders }) {
  const total = orders.reduce((sum, order) => sum + order.pieces * order.cents, 0);
  return [
    `Daily report for ${day.format("dddd, D MMMM YYYY")} (from ${source})`,
    "",
    `Orders: ${orders.length}, together ${euros(total).trim()}`,
    ...(orders.length ? ["", "By product", ...table(sumBy(orders, "product")), "", "By customer", ...table(sumBy(orders, "customer"))] : []),
  ].join("\n");
}
