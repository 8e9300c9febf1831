import { endpoint } from "samovar";

interface Input {
  readonly name: string;
}

/** One container that holds as many inputs as the load has connections, as the bare server does. */
export const hello = endpoint({ concurrency: 64, minContainers: 1, maxContainers: 1, scaledownWindow: -1 }, (input: Input) => ({
  message: `Hello, ${input.name}!`,
}));

/** A container for every call: each call is a cold start. */
export const once = endpoint({ singleUse: true }, (input: Input) => ({ message: `Hello, ${input.name}!` }));
