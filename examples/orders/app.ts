import { App, type TaskHandle } from "samovar";

interface Order {
  readonly id: number;
  readonly customer: string;
  readonly cents: number;
}

class CardDeclined extends Error {
  override readonly name = "CardDeclined";
}

// Told only where somebody listens: what can't be delivered would be tried again for days.
const callbackUrl = process.env.SHOP_CALLBACK_URL;
const app = new App("shop", callbackUrl ? { callbackUrl } : {});

/** What fails is tried again, but a card that was declined stays declined. One customer's orders are done one after another. */
export const orders = app.taskQueue(
  { retries: { maxRetries: 2, initialDelay: "200ms", on: [RangeError] }, concurrency: 4, keepResults: "30d" },
  async (order: Order, ctx) => {
    if (order.cents < 0) throw new CardDeclined(`No card pays ${order.cents} cents`);
    // Stands for a shop that is down for a moment.
    if (order.customer === "unlucky" && ctx.attempt === 1) throw new RangeError("The bank did not answer");
    return { paid: order.cents, attempt: ctx.attempt };
  },
);

/** Every morning at nine, in Berlin, whatever the season. */
export const report = app.schedule({ when: "0 9 * * MON-FRI", timezone: "Europe/Berlin" }, (ctx) => `Report written: ${ctx.scheduledAt.toISOString()}`);

const put = (order: Order): Promise<TaskHandle<{ paid: number; attempt: number }>> =>
  orders.put(order, { idempotencyKey: `order-${order.id}`, concurrencyKey: order.customer });

export default async function main() {
  const tasks = [
    await put({ id: 1, customer: "ada", cents: 500 }),
    await put({ id: 2, customer: "unlucky", cents: 700 }),
    await put({ id: 1, customer: "ada", cents: 500 }), // the same order: the same task
    await put({ id: 3, customer: "bob", cents: -1 }),
  ];
  console.log(`${tasks.length} orders, ${new Set(tasks.map(({ id }) => id)).size} tasks`);
  for (const task of tasks) {
    try {
      const { paid, attempt } = await task.get({ timeout: "1m" });
      console.log(`paid ${paid} cents at attempt ${attempt}`);
    } catch (error) {
      console.log(`${(error as Error).name}: ${(error as Error).message}`);
    }
  }
  const written = await report.spawn(); // now, beside its times
  console.log((await written.get()).split(" ", 2).join(" "));
}
